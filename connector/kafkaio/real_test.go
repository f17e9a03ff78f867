//go:build realkafka

package kafkaio

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The tests with the tag realkafka want what only Apache Kafka has: its
// listeners, its rules of access, brokers that die. They want the cluster of
// deploy/kafka/kafka.sh, which KAFKA_SH names: see make conformance. Those that
// kill brokers are not parallel, so that they have the cluster for themselves.

// kafkaSh runs the script that keeps the cluster.
func kafkaSh(t *testing.T, args ...string) string {
	t.Helper()
	var told strings.Builder
	cmd := exec.CommandContext(t.Context(), os.Getenv("KAFKA_SH"), args...)
	cmd.Stderr = &told
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("KAFKA_SH %v: %v\n%s", args, err, told.String())
	}
	return string(out)
}

// via returns the configuration for a listener: plain, sasl or mtls.
func via(t *testing.T, listener string) Config {
	t.Helper()
	set := map[string]string{}
	for _, found := range regexp.MustCompile(`SMSBRIDGE_KAFKA_(\w+)=(\S+)`).FindAllStringSubmatch(kafkaSh(t, "env", listener), -1) {
		set[found[1]] = found[2]
	}
	cfg := Config{Brokers: strings.Split(set["BROKERS"], ","), ClientID: "test"}
	if set["TLS"] == "true" {
		authority, err := os.ReadFile(set["TLS_CA_FILE"])
		if err != nil {
			t.Fatal(err)
		}
		secure := &tls.Config{RootCAs: x509.NewCertPool()}
		secure.RootCAs.AppendCertsFromPEM(authority)
		if file := set["TLS_CERT_FILE"]; file != "" {
			ours, err := tls.LoadX509KeyPair(file, set["TLS_KEY_FILE"])
			if err != nil {
				t.Fatal(err)
			}
			secure.Certificates = []tls.Certificate{ours}
		}
		cfg.TLS = fixed(secure)
	}
	if set["SASL_MECHANISM"] != "" {
		cfg.SASL = SASL{Mechanism: set["SASL_MECHANISM"], Username: set["SASL_USERNAME"], Password: password(set["SASL_PASSWORD"])}
	}
	return cfg
}

// open is Open for the time of the test.
func open(t *testing.T, cfg Config) *Client {
	t.Helper()
	c, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// admin may do everything, and is another client's.
func admin(t *testing.T) *kadm.Client {
	t.Helper()
	return kadm.NewClient(newKgo(t, via(t, "plain").Brokers))
}

// right is what a user is granted with a topic or a group.
type right struct {
	kind      kmsg.ACLResourceType
	name      string
	operation kmsg.ACLOperation
}

func onTopic(name string, operation kmsg.ACLOperation) right {
	return right{kmsg.ACLResourceTypeTopic, name, operation}
}

func onGroup(name string, operation kmsg.ACLOperation) right {
	return right{kmsg.ACLResourceTypeGroup, name, operation}
}

// grant gives rights to a user, and waits until every broker has heard of them.
func grant(t *testing.T, user string, rights ...right) {
	t.Helper()
	cl := newKgo(t, via(t, "plain").Brokers)
	create := kmsg.NewPtrCreateACLsRequest()
	for _, r := range rights {
		rule := kmsg.NewCreateACLsRequestCreation()
		rule.ResourceType, rule.ResourceName, rule.ResourcePatternType = r.kind, r.name, kmsg.ACLResourcePatternTypeLiteral
		rule.Principal, rule.Host, rule.Operation, rule.PermissionType = "User:"+user, "*", r.operation, kmsg.ACLPermissionTypeAllow
		create.Creations = append(create.Creations, rule)
	}
	created, err := create.RequestWith(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range created.Results {
		if result.ErrorCode != 0 {
			t.Fatalf("granting: code %d", result.ErrorCode)
		}
	}
	for _, r := range rights {
		asked := kmsg.NewPtrDescribeACLsRequest()
		asked.ResourceType, asked.ResourceName, asked.ResourcePatternType = r.kind, new(r.name), kmsg.ACLResourcePatternTypeLiteral
		asked.Principal, asked.Operation, asked.PermissionType = new("User:"+user), r.operation, kmsg.ACLPermissionTypeAllow
		for _, broker := range cl.DiscoveredBrokers() {
			until(t, "the rules are known", func(ctx context.Context) bool {
				res, err := broker.RetriableRequest(ctx, asked)
				return err == nil && len(res.(*kmsg.DescribeACLsResponse).Resources) > 0
			})
		}
	}
}
