package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
)

// TLSConfig is how the brokers are talked to, nil when that is without TLS. It is
// asked at each connection: certificates and authorities are read then, so that
// renewed ones are used without a restart. A file of authorities that is of no use
// any more leaves the last good one in force.
func (c *Kafka) TLSConfig() (func() (*tls.Config, error), error) {
	if !c.TLS {
		return nil, nil //nolint:nilnil // no TLS is a configuration like any other
	}
	var last atomic.Pointer[x509.CertPool] // nil: the system's
	if c.TLSCAFile != "" {
		pool, err := authorities(c.TLSCAFile)
		if err != nil {
			return nil, fmt.Errorf("%sKAFKA_TLS_CA_FILE %w", prefix, err)
		}
		last.Store(pool)
	}
	return func() (*tls.Config, error) {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if c.TLSCAFile != "" {
			if pool, err := authorities(c.TLSCAFile); err == nil {
				last.Store(pool)
			}
		}
		config.RootCAs = last.Load()
		if c.TLSCertFile != "" {
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				pair, err := tls.LoadX509KeyPair(c.TLSCertFile, c.TLSKeyFile)
				return &pair, err
			}
		}
		return config, nil
	}, nil
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
