package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Credentials of the lab. That they are found nowhere else is judged in the end.
const (
	AccountName     = "canary-account"
	AccountPassword = "canary-interface-password"
	pushName        = "canary-push"
	pushPassword    = "canary-push-password"
)

// Setup says what stands on the stage.
type Setup struct {
	Dir        string // logs and state
	Binaries   Binaries
	Partitions int
	Connectors int
	Session    time.Duration     // KAFKA_SESSION_TIMEOUT
	InFlight   int               // PROVIDER_MAX_IN_FLIGHT
	Settings   map[string]string // more of the connectors' variables, without SMSBRIDGE_
	Roles      []string          // ROLES of each connector, in turns; none: every role
	Spool      bool              // each has a PUSH_SPOOL_DIR
	Provider   []string          // more of the simulator's flags

	// AdminBrokers are where the lab may do everything, when the connectors come
	// another way (SMSBRIDGE_KAFKA_…) on which they need rights; the lab then
	// grants these and goes this way itself.
	AdminBrokers string
}

// Stage is a broker, a provider and connectors.
type Stage struct {
	Setup
	Topics     Topics
	Group      string
	Brokers    string // as the connectors know them
	Cluster    Cluster
	Broker     *Process // nil when Kafka is not ours
	Provider   *Provider
	Connectors []*Connector

	kafka    []string // the connectors' variables about Kafka
	balancer *balancer
	servers  []*Process
}

// Connector is one instance of smsbridge, over all its lives.
type Connector struct {
	Process *Process
	Name    string
	Admin   string // address
	Push    string // address
	State   string // folder
	program Program
}

// Raise sets everything up but the connectors.
func Raise(ctx context.Context, setup Setup) (*Stage, error) {
	s := &Stage{Setup: setup}
	if err := s.raise(ctx); err != nil {
		s.Strike()
		return nil, err
	}
	return s, nil
}

func (s *Stage) raise(ctx context.Context) error {
	if err := s.reachKafka(ctx); err != nil {
		return err
	}
	var backends []string
	for i := range s.Setup.Connectors {
		c, err := s.connector(i)
		if err != nil {
			return err
		}
		s.Connectors = append(s.Connectors, c)
		backends = append(backends, c.Push)
	}
	var err error
	if s.balancer, err = balance(ctx, backends); err != nil {
		return err
	}
	args := append([]string{
		"provider", "-listen", "127.0.0.1:0", "-name", AccountName, "-password", AccountPassword,
		"-push", "http://" + s.balancer.addr(), "-push-name", pushName, "-push-password", pushPassword,
	}, s.Setup.Provider...)
	process, address, err := Serve(ctx, Program{Name: "provider", Path: s.Binaries.Lab, Args: args, Env: os.Environ(), Dir: s.Dir})
	if err != nil {
		return err
	}
	s.servers = append(s.servers, process)
	s.Provider = &Provider{base: strings.TrimSuffix(address, "/sms"), Process: process}
	for _, c := range s.Connectors {
		c.program.Env = append(c.program.Env, "SMSBRIDGE_PROVIDER_URL="+address)
	}
	return nil
}

// reachKafka takes the Kafka that the environment names, else a broker of our own.
func (s *Stage) reachKafka(ctx context.Context) error {
	run := strconv.FormatInt(time.Now().UnixMilli(), 36)
	if brokers := os.Getenv("KAFKA_BROKERS"); brokers != "" && os.Getenv(brokersVariable) == "" {
		if err := os.Setenv(brokersVariable, brokers); err != nil {
			return err
		}
	}
	if os.Getenv(brokersVariable) == "" {
		broker, address, err := Serve(ctx, Program{
			Name: "broker", Path: s.Binaries.Lab, Env: os.Environ(), Dir: s.Dir,
			Args: []string{"broker", "-listen", "127.0.0.1:0", "-auto-create=false"},
		})
		if err != nil {
			return err
		}
		s.Broker, s.servers = broker, append(s.servers, broker)
		s.Topics, s.Group = Topics{"sms."}, "smsbridge"
		s.Cluster, s.kafka = NewCluster(address), []string{brokersVariable + "=" + address}
	} else {
		s.Topics, s.Group = Topics{"lab-" + run + "."}, "lab-"+run
		var err error
		if s.Cluster, err = FromEnvironment(); err != nil {
			return err
		}
		for _, v := range os.Environ() {
			if strings.HasPrefix(v, kafkaPrefix) {
				s.kafka = append(s.kafka, v)
			}
		}
		if s.AdminBrokers != "" {
			s.Cluster = NewCluster(s.AdminBrokers)
		}
	}
	s.Brokers = strings.TrimPrefix(s.kafka[slices.IndexFunc(s.kafka, isBrokers)], brokersVariable+"=")
	return s.prepare(ctx)
}

func isBrokers(variable string) bool { return strings.HasPrefix(variable, brokersVariable+"=") }

func (s *Stage) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("no answer from Kafka for a minute"))
	defer cancel()
	client, err := s.Cluster.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if err := s.Topics.create(ctx, admin, s.Partitions); err != nil {
		return err
	}
	if s.AdminBrokers == "" {
		return nil
	}
	if err := s.Topics.grant(ctx, admin, cmp.Or(setting("SASL_USERNAME"), "ANONYMOUS"), s.Group); err != nil {
		return err
	}
	return s.Topics.awaitRights(ctx)
}

func (s *Stage) connector(i int) (*Connector, error) {
	push, err := freeAddress()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddress()
	if err != nil {
		return nil, err
	}
	c := &Connector{Name: "connector-" + strconv.Itoa(i+1), Push: push, Admin: admin, State: s.Dir + "/state-" + strconv.Itoa(i+1)}
	settings := map[string]string{
		"KAFKA_GROUP": s.Group, "TOPIC_PREFIX": s.Topics.Prefix, "KAFKA_SESSION_TIMEOUT": s.Session.String(),
		"PROVIDER_NAME": AccountName, "PROVIDER_PASSWORD": AccountPassword, "PROVIDER_SIGNATURE": "Lab",
		"PROVIDER_MAX_IN_FLIGHT": strconv.Itoa(s.InFlight),
		"PUSH_LISTEN":            push, "PUSH_AUTH": "static", "PUSH_NAME": pushName, "PUSH_PASSWORD": pushPassword,
		"MO_SYSTEM_EXTENSION_LENGTH": "3", "ADMIN_LISTEN": admin, "STATE_DIR": c.State,
	}
	if n := len(s.Roles); n > 0 {
		settings["ROLES"] = s.Roles[i%n]
	}
	if s.Spool {
		settings["PUSH_SPOOL_DIR"] = s.Dir + "/spool-" + strconv.Itoa(i+1)
	}
	maps.Copy(settings, s.Settings)
	env := append([]string{}, s.kafka...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SMSBRIDGE_") {
			env = append(env, v)
		}
	}
	for name, value := range settings {
		env = append(env, "SMSBRIDGE_"+name+"="+value)
	}
	c.program = Program{Name: c.Name, Path: s.Binaries.Bridge, Args: []string{"run"}, Env: env, Dir: s.Dir}
	return c, nil
}

// Start gives the connector a new life.
func (c *Connector) Start() error {
	process, err := Run(c.program)
	if err == nil {
		c.Process = process
	}
	return err
}

// Ready waits until the connector can take pushes.
func (c *Connector) Ready(ctx context.Context) error {
	for {
		if status := get(ctx, "http://"+c.Admin+"/readyz"); status == http.StatusOK {
			return nil
		}
		if err := c.Process.Unasked(); err != nil {
			return err
		}
		if err := Pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("%s does not become ready: %w", c.Name, err)
		}
	}
}

// Also runs another program, which ends with the stage.
func (s *Stage) Also(p Program) (*Process, error) {
	process, err := Run(p)
	if err == nil {
		s.servers = append(s.servers, process)
	}
	return process, err
}

// AlsoServing is Also for a program that Serve can start.
func (s *Stage) AlsoServing(ctx context.Context, p Program) (*Process, string, error) {
	process, address, err := Serve(ctx, p)
	if err == nil {
		s.servers = append(s.servers, process)
	}
	return process, address, err
}

// Retire stops the connectors in order and returns what went wrong with it. What
// their admin pages show is kept first, as something that must hold nothing
// private.
func (s *Stage) Retire(ctx context.Context, grace time.Duration) []error {
	var errs []error
	for _, c := range s.Connectors {
		if c.Process == nil {
			continue
		}
		for _, page := range []string{"metrics", "api/status"} {
			keep(ctx, "http://"+c.Admin+"/"+page, filepath.Join(s.Dir, c.Name+"-"+filepath.Base(page)+".log"))
		}
		err := c.Process.Unasked()
		if err == nil {
			err = c.Process.Stop(grace)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.Name, err))
		}
	}
	return errs
}

// Strike ends everything at once.
func (s *Stage) Strike() {
	for _, c := range s.Connectors {
		if c.Process != nil {
			c.Process.Kill()
		}
	}
	for _, p := range s.servers {
		p.Kill()
	}
	if s.balancer != nil {
		s.balancer.close()
	}
}

// freeAddress finds a port that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it waits for nothing
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func get(ctx context.Context, url string) int {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	resp.Body.Close() //nolint:errcheck // the status is the answer
	return resp.StatusCode
}
