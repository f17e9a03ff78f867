package kafkaio

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const secret = "correct-horse"

func password(s string) func() string { return func() string { return s } }

// certificate returns a self-signed certificate for names, and the pool that trusts it.
func certificate(t *testing.T, names ...string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, name)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// listen accepts connections and hands each to serve until the test ends.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return l.Addr().String()
}

func TestProbeNamesWhatIsWrongAndTheSettingToChange(t *testing.T) {
	t.Parallel()
	cert, pool := certificate(t, "127.0.0.1")
	foreign, foreignPool := certificate(t, "elsewhere.invalid")
	_, strangers := certificate(t, "127.0.0.1")
	secure := startFake(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}})).ListenAddrs()[0]
	misnamed := startFake(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{foreign}})).ListenAddrs()[0]
	mutual := startFake(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool})).ListenAddrs()[0]
	scram := startFake(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "alice", secret)).ListenAddrs()[0]
	silent := listen(t, func(c net.Conn) { c.Read(make([]byte, 1)) })
	web := listen(t, func(c net.Conn) {
		c.Read(make([]byte, 1))
		c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	})

	login := func(mechanism, pass string) SASL {
		return SASL{Mechanism: mechanism, Username: "alice", Password: password(pass)}
	}
	for name, c := range map[string]struct {
		cfg     Config
		kind    error
		setting string
	}{
		"nobody listens":              {Config{Brokers: []string{"127.0.0.1:1"}}, ErrUnreachable, "KAFKA_BROKERS"},
		"the name is unknown":         {Config{Brokers: []string{"no-such-host.invalid:9092"}}, ErrUnreachable, "KAFKA_BROKERS"},
		"it is a web server":          {Config{Brokers: []string{web}}, ErrUnreachable, "KAFKA_BROKERS"},
		"it hangs up":                 {Config{Brokers: []string{silent}}, ErrTLS, "KAFKA_TLS"},
		"the listener wants TLS":      {Config{Brokers: []string{secure}}, ErrTLS, "KAFKA_TLS: set it to true"},
		"the listener has no TLS":     {Config{Brokers: []string{silent}, TLS: fixed(&tls.Config{RootCAs: pool})}, ErrTLS, "KAFKA_TLS: unset it"},
		"an unknown authority":        {Config{Brokers: []string{secure}, TLS: fixed(&tls.Config{RootCAs: strangers})}, ErrTLS, "KAFKA_TLS_CA_FILE"},
		"a certificate of another":    {Config{Brokers: []string{misnamed}, TLS: fixed(&tls.Config{RootCAs: foreignPool})}, ErrTLS, "stands in its certificate"},
		"a certificate of ours lacks": {Config{Brokers: []string{mutual}, TLS: fixed(&tls.Config{RootCAs: pool})}, ErrTLS, "KAFKA_TLS_CERT_FILE"},
		"the listener wants a login":  {Config{Brokers: []string{scram}}, ErrLogin, "KAFKA_SASL_MECHANISM: set it"},
		"the wrong password":          {Config{Brokers: []string{scram}, SASL: login("scram-sha-256", "wrong-"+secret)}, ErrLogin, "KAFKA_SASL_PASSWORD"},
		"the wrong mechanism":         {Config{Brokers: []string{scram}, SASL: login("plain", secret)}, ErrLogin, "KAFKA_SASL_"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := Open(c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			err = client.Probe(t.Context())
			var connect *ConnectError
			if !errors.As(err, &connect) || !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.setting) || connect.Broker != c.cfg.Brokers[0] {
				t.Fatalf("got %v, want %v with %s", err, c.kind, c.setting)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the password is in %v", err)
			}
		})
	}
}

// cutting ends a connection in its own way instead of writing for the nth time.
type cutting struct {
	net.Conn
	writes int
	cut    func(*cutting)
	over   bool // the other end has hung up
}

func (c *cutting) Write(b []byte) (int, error) {
	if c.writes--; c.writes < 0 {
		c.cut(c)
	}
	return c.Conn.Write(b)
}

func (c *cutting) Read(b []byte) (int, error) {
	if c.over {
		return 0, io.EOF
	}
	return c.Conn.Read(b)
}

func TestAConnectionThatBreaksOffMayMendItselfWhateverItWasAbout(t *testing.T) {
	t.Parallel()
	cert, pool := certificate(t, "127.0.0.1")
	fake := startFake(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "alice", secret),
		kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}})).ListenAddrs()[0]
	// TLS takes two writes, the versions, the mechanism and SCRAM four more. To
	// hang up on SCRAM is to say no.
	const beforeLogin, all = 4, 6
	for name, c := range map[string]struct {
		cut    func(*cutting)
		writes int
	}{
		"closed by us":     {func(c *cutting) { c.Close() }, all},
		"ended by them":    {func(c *cutting) { c.over = true }, beforeLogin},
		"ended by the way": {func(c *cutting) { c.Conn.(*net.TCPConn).CloseWrite() }, all},
		"never answered":   {func(c *cutting) { c.SetReadDeadline(time.Unix(1, 0)) }, all},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for at := range c.writes {
				client := openWith(t, Config{
					Brokers: []string{fake}, TLS: fixed(&tls.Config{RootCAs: pool}),
					SASL: SASL{Mechanism: "scram-sha-256", Username: "alice", Password: password(secret)},
					Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
						conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
						return &cutting{Conn: conn, writes: at, cut: c.cut}, err
					},
				})
				if err := client.Probe(t.Context()); !errors.Is(err, ErrUnreachable) {
					t.Errorf("at write %d: %v", at, err)
				}
			}
		})
	}
}

func TestWhatABrokerRefusesDoesNotMendItself(t *testing.T) {
	t.Parallel()
	cert, _ := certificate(t, "127.0.0.1")
	_, strangers := certificate(t, "127.0.0.1")
	secure := startFake(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}})).ListenAddrs()
	scram := startFake(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "alice", secret)).ListenAddrs()
	for name, cfg := range map[string]Config{
		"the authority": {Brokers: secure, TLS: fixed(&tls.Config{RootCAs: strangers})},
		"the password":  {Brokers: scram, SASL: SASL{Mechanism: "scram-sha-256", Username: "alice", Password: password("wrong")}},
		"the mechanism": {Brokers: scram, SASL: SASL{Mechanism: "plain", Username: "alice", Password: password(secret)}},
	} {
		if err := openWith(t, cfg).Probe(t.Context()); err == nil || errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func openWith(t *testing.T, cfg Config) *Client {
	t.Helper()
	c, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestEveryWayToLogInWorks(t *testing.T) {
	t.Parallel()
	cert, pool := certificate(t, "127.0.0.1")
	for name, m := range map[string]struct{ ours, theirs string }{
		"plain":         {"plain", "PLAIN"},
		"scram-sha-256": {"scram-sha-256", "SCRAM-SHA-256"},
		"scram-sha-512": {"scram-sha-512", "SCRAM-SHA-512"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := startFake(t, kfake.EnableSASL(), kfake.Superuser(m.theirs, "alice", secret),
				kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}))
			// The password rotates: the first answer is stale.
			answers := make(chan string, 2)
			answers <- "stale"
			answers <- secret
			c, err := Open(Config{
				Brokers: fake.ListenAddrs(),
				TLS:     fixed(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}}),
				SASL: SASL{Mechanism: m.ours, Username: "alice", Password: func() string {
					if len(answers) > 0 {
						return <-answers
					}
					return secret
				}},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.Probe(t.Context()); !errors.Is(err, ErrLogin) {
				t.Fatalf("with a stale password: %v", err)
			}
			if err := c.Probe(t.Context()); err != nil {
				t.Fatal(err)
			}
			newTopic(t, c, 1)
		})
	}
}

func TestOneBrokerOfSeveralIsEnoughToBegin(t *testing.T) {
	t.Parallel()
	c := openClient(t, append([]string{"127.0.0.1:1"}, startFake(t).ListenAddrs()...))
	if err := c.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ClusterID(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAddressesThatWorkNowhereElseAreTold(t *testing.T) {
	t.Parallel()
	fake := startFake(t)
	bootstrap := "bootstrap.test:9092"
	c, err := Open(Config{Brokers: []string{bootstrap}, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr != bootstrap {
			return nil, errors.New("no route")
		}
		return (&net.Dialer{}).DialContext(ctx, network, fake.ListenAddrs()[0])
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Probe(t.Context()); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "advertised.listeners") {
		t.Fatal(err)
	}
}

func TestMissingRightsAreUnauthorised(t *testing.T) {
	t.Parallel()
	describe := kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: "*", Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: kmsg.ACLOperationDescribe, Allow: true}
	describe.Name = "seen"
	fake := startFake(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.SeedTopics(1, "seen", "hidden"),
		kfake.Superuser("PLAIN", "admin", secret), kfake.User("PLAIN", "bob", secret, describe))
	c, err := Open(Config{Brokers: fake.ListenAddrs(), SASL: SASL{Mechanism: "plain", Username: "bob", Password: password(secret)}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for name, try := range map[string]func() error{
		"reading":            func() error { _, err := c.Fetcher(FetchConfig{Topic: "seen"}).Next(t.Context()); return err },
		"reading the hidden": func() error { _, err := c.Fetcher(FetchConfig{Topic: "hidden"}).Next(t.Context()); return err },
		"describing":         func() error { _, err := c.Topics(t.Context(), "hidden"); return err },
		"waiting":            func() error { _, err := c.WaitTopics(t.Context(), "seen", "hidden"); return err },
		"creating":           func() error { return c.CreateTopics(t.Context(), NewTopic{Name: "new"}) },
		"configuration":      func() error { _, err := c.TopicConfig(t.Context(), "hidden"); return err },
		"the end":            func() error { _, err := c.EndOffset(t.Context(), "hidden", 0); return err },
	} {
		if err := try(); !errors.Is(err, ErrUnauthorized) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.EndOffset(t.Context(), "seen", 0); err != nil {
		t.Errorf("the end of what may be described: %v", err)
	}
}

func TestConfigurationThatCannotWorkIsRefusedWithItsName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg     Config
		setting string
	}{
		"no brokers":           {Config{}, "KAFKA_BROKERS"},
		"a broker and no port": {Config{Brokers: []string{"localhost"}}, "KAFKA_BROKERS"},
		"unknown mechanism":    {Config{Brokers: []string{"a:1"}, SASL: SASL{Mechanism: "md5", Username: "u", Password: password("")}}, "KAFKA_SASL_MECHANISM"},
		"a user missing":       {Config{Brokers: []string{"a:1"}, SASL: SASL{Mechanism: "plain", Password: password("")}}, "KAFKA_SASL_USERNAME"},
	} {
		if _, err := Open(c.cfg); err == nil || !strings.Contains(err.Error(), c.setting) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
