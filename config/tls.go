package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLSConfig is how the brokers are talked to, nil when that is without TLS. The
// certificate of mutual TLS is read at every handshake, so that a renewed one
// is used without a restart.
func (c *Kafka) TLSConfig() (*tls.Config, error) {
	if !c.TLS {
		return nil, nil //nolint:nilnil // no TLS is a configuration like any other
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLSCAFile != "" {
		pool, err := authorities(c.TLSCAFile)
		if err != nil {
			return nil, fmt.Errorf("%sKAFKA_TLS_CA_FILE %w", prefix, err)
		}
		config.RootCAs = pool
	}
	if c.TLSCertFile != "" {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(c.TLSCertFile, c.TLSKeyFile)
			return &pair, err
		}
	}
	return config, nil
}

// authorities reads the certificates of a PEM file.
func authorities(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot be read (%w)", cause(err))
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("holds no certificate")
	}
	return pool, nil
}
