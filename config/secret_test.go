package config

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestSecretPrintsStars(t *testing.T) {
	c, err := load(t)
	if err != nil {
		t.Fatal(err)
	}
	s := c.Provider.Password
	printed := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed[verb] = fmt.Sprintf(verb, s)
		printed[verb+" of a pointer"] = fmt.Sprintf(verb, &s)
		printed[verb+" of all"] = fmt.Sprintf(verb, c)
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	printed["json"] = string(text)
	for name, handler := range map[string]func(io.Writer) slog.Handler{
		"text log": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"json log": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		var out bytes.Buffer
		slog.New(handler(&out)).Info("config", "secret", s)
		printed[name] = out.String()
		out.Reset()
		slog.New(handler(&out)).Info("config", "all", c)
		printed[name+" of all"] = out.String()
	}
	hex := fmt.Sprintf("%x", "canary")
	for name, text := range printed {
		if !strings.Contains(text, stars) || strings.Contains(text, "canary") || strings.Contains(text, hex) {
			t.Errorf("%s: %s", name, text)
		}
	}
	if s.String() != stars || (Secret{}).String() != "" {
		t.Errorf("got %q and %q", s.String(), (Secret{}).String())
	}
}

// secretFile gives a token from a file, within the bubble of synctest.
func secretFile(t *testing.T, text string) (secret Secret, file string, log *bytes.Buffer) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "token")
	write(t, file, text)
	c, err := load(t, "PUSH_TOKEN_FILE="+file)
	if err != nil {
		t.Fatal(err)
	}
	log = new(bytes.Buffer)
	c.ReportSecrets(slog.New(slog.NewTextHandler(log, nil)))
	return c.Push.Token, file, log
}

// write puts another file in the place of file, as Kubernetes and most editors do.
func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

func TestSecretFollowsItsFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, file, log := secretFile(t, "first\r\n")
		if got := s.Value(); got != "first" {
			t.Errorf("got %q", got)
		}
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		write(t, file, "other\n\n") // as long and as old as the one before
		if err := os.Chtimes(file, time.Time{}, info.ModTime()); err != nil {
			t.Fatal(err)
		}
		if got := s.Value(); got != "first" {
			t.Errorf("looked at the file again within a second: %q", got)
		}
		time.Sleep(fileCheck)
		if got := s.Value(); got != "other" {
			t.Errorf("got %q", got)
		}
		if strings.Count(log.String(), "\n") != 1 || strings.Contains(log.String(), "other") {
			t.Errorf("logged %s", log)
		}
	})
}

func TestSecretKeepsItsLastGoodValueAndSaysSoOnce(t *testing.T) {
	for name, spoil := range map[string]func(file string) error{
		"gone":      os.Remove,
		"empty":     func(file string) error { return os.WriteFile(file, []byte("\n"), 0o600) },
		"two lines": func(file string) error { return os.WriteFile(file, []byte("a\nb\n"), 0o600) },
		"huge":      func(file string) error { return os.WriteFile(file, make([]byte, maxSecret+2), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, file, log := secretFile(t, "first\n")
				if err := spoil(file); err != nil {
					t.Fatal(err)
				}
				for range 5 {
					time.Sleep(fileCheck)
					if got := s.Value(); got != "first" {
						t.Errorf("got %q", got)
					}
				}
				if n := strings.Count(log.String(), "level=WARN"); n != 1 {
					t.Errorf("said %d times: %s", n, log)
				}
				write(t, file, "second\n")
				time.Sleep(fileCheck)
				if got := s.Value(); got != "second" {
					t.Errorf("got %q after the file came back", got)
				}
			})
		})
	}
}

func TestSecretIsReadByManyWhileItChanges(t *testing.T) {
	s, file, _ := secretFile(t, "value")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 1000 {
				if got := s.Value(); got != "value" && got != "other" {
					t.Errorf("got %q", got)
				}
			}
		})
	}
	write(t, file, "other")
	group.Wait()
}

func TestTLSConfigIsMutualAndFollowsTheFiles(t *testing.T) {
	cert, key := pair(t, t.TempDir())
	c, err := load(t, "KAFKA_TLS=true", "KAFKA_TLS_CA_FILE="+cert, "KAFKA_TLS_CERT_FILE="+cert, "KAFKA_TLS_KEY_FILE="+key)
	if err != nil {
		t.Fatal(err)
	}
	current, err := c.Kafka.TLSConfig()
	if err != nil {
		t.Fatal(err)
	}
	config, err := current()
	if err != nil {
		t.Fatal(err)
	}
	if config.RootCAs == nil || config.MinVersion != tls.VersionTLS12 || config.InsecureSkipVerify {
		t.Errorf("got %+v", config)
	}
	if _, err := config.GetClientCertificate(nil); err != nil {
		t.Error(err)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if _, err := config.GetClientCertificate(nil); err == nil {
		t.Error("the certificate was not read again")
	}
	other, _ := pair(t, t.TempDir())
	renewed, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	trusted := config.RootCAs
	for content, same := range map[string]bool{"no certificate": true, string(renewed): false} {
		write(t, cert, content)
		config, err := current()
		if err != nil || same && config.RootCAs == nil || !same && config.RootCAs.Equal(trusted) {
			t.Errorf("a file that holds a new authority: %v; one that is of no use: %v, %v", !same, same, err)
		}
	}
	if config, err := new(Kafka).TLSConfig(); config != nil || err != nil {
		t.Errorf("without TLS: %v", err)
	}
}

// pair writes a certificate and its key.
func pair(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	public, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: public}, key: {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}
