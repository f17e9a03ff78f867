package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Cluster is how the lab itself reaches Kafka.
type Cluster struct{ opts []kgo.Opt }

// NewCluster reaches brokers without TLS and credentials.
func NewCluster(brokers string) Cluster {
	return Cluster{[]kgo.Opt{kgo.SeedBrokers(strings.Split(brokers, ",")...), kgo.MetadataMinAge(time.Second)}}
}

// FromEnvironment reaches brokers as the connector will: by its own variables.
func FromEnvironment() (Cluster, error) {
	c := NewCluster(os.Getenv(brokersVariable))
	if setting("TLS") == "true" {
		config, err := tlsConfig()
		if err != nil {
			return Cluster{}, err
		}
		c.opts = append(c.opts, kgo.DialTLSConfig(config))
	}
	user, password := setting("SASL_USERNAME"), setting("SASL_PASSWORD")
	if file := setting("SASL_PASSWORD_FILE"); file != "" {
		secret, err := os.ReadFile(file)
		if err != nil {
			return Cluster{}, err
		}
		password = strings.TrimSpace(string(secret))
	}
	switch mechanism := setting("SASL_MECHANISM"); mechanism {
	case "":
	case "plain":
		c.opts = append(c.opts, kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism()))
	case "scram-sha-256":
		c.opts = append(c.opts, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha256Mechanism()))
	case "scram-sha-512":
		c.opts = append(c.opts, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism()))
	default:
		return Cluster{}, fmt.Errorf("%sSASL_MECHANISM: %q is not known", kafkaPrefix, mechanism)
	}
	return c, nil
}

const (
	kafkaPrefix     = "SMSBRIDGE_KAFKA_"
	brokersVariable = kafkaPrefix + "BROKERS"
)

func setting(name string) string { return os.Getenv(kafkaPrefix + name) }

func tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if file := setting("TLS_CA_FILE"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", file)
		}
	}
	if file := setting("TLS_CERT_FILE"); file != "" {
		certificate, err := tls.LoadX509KeyPair(file, setting("TLS_KEY_FILE"))
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return config, nil
}

// Client makes a client of its own for one purpose.
func (c Cluster) Client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(append([]kgo.Opt{}, c.opts...), opts...)...)
}

// Topics names the topics of one run.
type Topics struct{ Prefix string }

// Commands is the topic that the connector reads.
func (t Topics) Commands() string { return t.Prefix + "commands" }

// Results is the topic of the final results.
func (t Topics) Results() string { return t.Prefix + "results" }

// Reports is the topic of the delivery reports.
func (t Topics) Reports() string { return t.Prefix + "reports" }

func (t Topics) inbound() string    { return t.Prefix + "inbound" }
func (t Topics) deadLetter() string { return t.Prefix + "deadletter" }
func (t Topics) account() string    { return t.Prefix + "account" }
func (t Topics) journal() string    { return t.Prefix + "bridge.journal" }

func (t Topics) outputs() []string {
	return []string{t.Results(), t.Reports(), t.inbound(), t.deadLetter(), t.account()}
}

// internal topics are there for whatever version of the connector runs.
func (t Topics) internal() []string {
	return []string{
		t.journal(), t.Prefix + "bridge.sendids", t.Prefix + "bridge.pushes",
		t.Prefix + "bridge.doubts", t.Prefix + "bridge.control", t.Prefix + "bridge.suppressions",
	}
}

// create makes the topics, with the brokers' own replication, and waits until
// every partition has a leader.
func (t Topics) create(ctx context.Context, admin *kadm.Client, partitions int) error {
	names := append(append([]string{t.Commands()}, t.outputs()...), t.internal()...)
	created, err := admin.CreateTopics(ctx, int32(partitions), -1, nil, names...)
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	for _, topic := range created {
		if topic.Err != nil && !errors.Is(topic.Err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", topic.Topic, topic.Err)
		}
	}
	for {
		if ends, err := admin.ListEndOffsets(ctx, names...); err == nil && ends.Error() == nil {
			return nil
		}
		if err := Pause(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("topics were created but do not answer: %w", err)
		}
	}
}

// grant gives a user what smsbridge run needs, and nothing besides.
func (t Topics) grant(ctx context.Context, admin *kadm.Client, user, group string) error {
	rights := []*kadm.ACLBuilder{
		kadm.NewACLs().Groups(group, group+"-correlate").Operations(kadm.OpRead, kadm.OpDescribe),
		kadm.NewACLs().Topics(t.Commands()).Operations(kadm.OpRead, kadm.OpDescribe),
		kadm.NewACLs().Topics(t.outputs()...).Operations(kadm.OpWrite, kadm.OpDescribe),
		kadm.NewACLs().Topics(t.internal()...).Operations(kadm.OpRead, kadm.OpWrite, kadm.OpDescribe),
	}
	for _, r := range rights {
		results, err := admin.CreateACLs(ctx, r.Allow("User:"+user).AllowHosts().ResourcePatternType(kadm.ACLPatternLiteral))
		if err != nil {
			return fmt.Errorf("grant rights to %s: %w", user, err)
		}
		for _, result := range results {
			if result.Err != nil {
				return fmt.Errorf("grant rights to %s: %w", user, result.Err)
			}
		}
	}
	return nil
}

// awaitRights waits until every broker knows the rights of the connectors' user: a
// broker hears of them after they were granted, and refuses until then.
func (t Topics) awaitRights(ctx context.Context) error {
	cluster, err := FromEnvironment()
	if err != nil {
		return err
	}
	client, err := cluster.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		missing := t.missingRights(ctx, client)
		if missing == nil {
			return nil
		}
		if err := Pause(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("rights were granted but are not known: %w", missing)
		}
	}
}

func (t Topics) missingRights(ctx context.Context, client *kgo.Client) error {
	const read, write = 1 << 3, 1 << 4 // bits of Kafka's AclOperation
	want := map[string]int32{t.Commands(): read}
	for _, name := range t.outputs() {
		want[name] = write
	}
	for _, name := range t.internal() {
		want[name] = read | write
	}
	brokers, err := kadm.NewClient(client).ListBrokers(ctx)
	if err != nil {
		return err
	}
	for _, broker := range brokers {
		request := kmsg.NewPtrMetadataRequest()
		request.IncludeTopicAuthorizedOperations = true
		for name := range want {
			topic := kmsg.NewMetadataRequestTopic()
			topic.Topic = new(name)
			request.Topics = append(request.Topics, topic)
		}
		response, err := request.RequestWith(ctx, client.Broker(int(broker.NodeID)))
		if err != nil {
			return err
		}
		for _, topic := range response.Topics {
			if bits := want[*topic.Topic]; topic.AuthorizedOperations&bits != bits {
				return fmt.Errorf("broker %d, topic %s: %w", broker.NodeID, *topic.Topic, kerr.TopicAuthorizationFailed)
			}
		}
	}
	return nil
}

// Pause waits and returns why it could not wait to the end.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
