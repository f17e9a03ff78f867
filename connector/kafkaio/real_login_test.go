//go:build realkafka

package kafkaio

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
)

func TestProbeTellsWhatApacheKafkaRefuses(t *testing.T) {
	t.Parallel()
	plain, sasl, mtls := via(t, "plain"), via(t, "sasl"), via(t, "mtls")
	stranger, strangers := certificate(t, "127.0.0.1")
	right := sasl.SASL.Password()
	login := func(user, mechanism, pass string) SASL {
		return SASL{Mechanism: mechanism, Username: user, Password: password(pass)}
	}
	trusting := func(certificates ...tls.Certificate) func() (*tls.Config, error) {
		cfg, err := sasl.TLS()
		if err != nil {
			t.Fatal(err)
		}
		return fixed(&tls.Config{RootCAs: cfg.RootCAs, Certificates: certificates})
	}
	byName := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, sasl.Brokers[0])
	}
	for name, c := range map[string]struct {
		cfg     Config
		kind    error
		setting string
	}{
		"an unknown authority":                     {Config{Brokers: sasl.Brokers, TLS: fixed(&tls.Config{RootCAs: strangers}), SASL: sasl.SASL}, ErrTLS, "KAFKA_TLS_CA_FILE"},
		"a name that is not in the certificate":    {Config{Brokers: []string{"kafka.test:9092"}, TLS: trusting(), SASL: sasl.SASL, Dial: byName}, ErrTLS, "KAFKA_BROKERS"},
		"plain text to a TLS listener":             {Config{Brokers: mtls.Brokers}, ErrTLS, "KAFKA_TLS: set it to true"},
		"plain text and a login to a TLS listener": {Config{Brokers: sasl.Brokers, SASL: sasl.SASL}, ErrTLS, "KAFKA_TLS: set it to true"},
		"TLS to a plain listener":                  {Config{Brokers: plain.Brokers, TLS: trusting()}, ErrTLS, "KAFKA_TLS: unset it"},
		"no certificate of ours":                   {Config{Brokers: mtls.Brokers, TLS: trusting()}, ErrTLS, "KAFKA_TLS_CERT_FILE"},
		"a certificate that nobody there signed":   {Config{Brokers: mtls.Brokers, TLS: trusting(stranger)}, ErrTLS, "KAFKA_TLS_CERT_FILE"},
		"no login":                                 {Config{Brokers: sasl.Brokers, TLS: trusting()}, ErrLogin, "KAFKA_SASL_MECHANISM: set it"},
		"a login where there is none":              {Config{Brokers: plain.Brokers, SASL: sasl.SASL}, ErrLogin, "KAFKA_SASL_MECHANISM: unset it"},
		"a wrong password, plain":                  {Config{Brokers: sasl.Brokers, TLS: trusting(), SASL: login("smsbridge", "plain", "no-"+right)}, ErrLogin, "KAFKA_SASL_PASSWORD"},
		"a wrong password, scram-sha-256":          {Config{Brokers: sasl.Brokers, TLS: trusting(), SASL: login("smsbridge", "scram-sha-256", "no-"+right)}, ErrLogin, "KAFKA_SASL_PASSWORD"},
		"a wrong password, scram-sha-512":          {Config{Brokers: sasl.Brokers, TLS: trusting(), SASL: login("smsbridge", "scram-sha-512", "no-"+right)}, ErrLogin, "KAFKA_SASL_PASSWORD"},
		"a user of another mechanism":              {Config{Brokers: sasl.Brokers, TLS: trusting(), SASL: login("nobody", "scram-sha-512", right)}, ErrLogin, "made for another mechanism"},
		"a user that there is not":                 {Config{Brokers: sasl.Brokers, TLS: trusting(), SASL: login("somebody", "plain", right)}, ErrLogin, "KAFKA_SASL_USERNAME"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := open(t, c.cfg).Probe(t.Context())
			var connect *ConnectError
			if !errors.As(err, &connect) || !errors.Is(err, c.kind) || !strings.Contains(connect.Remedy, c.setting) {
				t.Fatalf("got %v, want %v with %s", err, c.kind, c.setting)
			}
			if strings.Contains(err.Error(), right) {
				t.Errorf("the password is in %v", err)
			}
		})
	}
}

// With exactly the rights that smsbridge run needs, and by every way in.
func TestTheWholeWorkIsDoneWithTheLeastRights(t *testing.T) {
	t.Parallel()
	sasl := via(t, "sasl")
	by := func(mechanism string) Config {
		cfg := sasl
		cfg.SASL.Mechanism = mechanism
		return cfg
	}
	for name, c := range map[string]struct {
		cfg  Config
		user string
	}{
		"plain":         {by("plain"), "smsbridge"},
		"scram-sha-256": {by("scram-sha-256"), "smsbridge"},
		"scram-sha-512": {by("scram-sha-512"), "smsbridge"},
		"mutual TLS":    {via(t, "mtls"), "client"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWork(t)
			grant(t, c.user, w.rights()...)
			client := open(t, c.cfg)
			if err := client.Probe(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := w.do(t, client); err != nil {
				t.Fatal(err)
			}
		})
	}
}
