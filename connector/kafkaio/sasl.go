package kafkaio

import (
	"context"
	"fmt"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// SASL says how to log in to the brokers. The zero value does not.
type SASL struct {
	Mechanism string // "", "plain", "scram-sha-256" or "scram-sha-512"
	Username  string
	Password  func() string // asked at each connection, because secrets rotate
}

// mechanism returns the login as kafka-go wants it, nil when there is none.
func (s SASL) mechanism() (sasl.Mechanism, error) {
	if s.Mechanism == "" {
		return nil, nil
	}
	if s.Username == "" || s.Password == nil {
		return nil, fmt.Errorf("KAFKA_SASL_MECHANISM is %s: KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD are needed too", s.Mechanism)
	}
	switch s.Mechanism {
	case "plain":
		return login{name: "PLAIN", start: s.plain}, nil
	case "scram-sha-256":
		return login{name: "SCRAM-SHA-256", start: s.scram(scram.SHA256)}, nil
	case "scram-sha-512":
		return login{name: "SCRAM-SHA-512", start: s.scram(scram.SHA512)}, nil
	default:
		return nil, fmt.Errorf("KAFKA_SASL_MECHANISM %q is not known: use plain, scram-sha-256 or scram-sha-512", s.Mechanism)
	}
}

func (s SASL) plain() (sasl.Mechanism, error) {
	return plain.Mechanism{Username: s.Username, Password: s.Password()}, nil
}

func (s SASL) scram(hash scram.Algorithm) func() (sasl.Mechanism, error) {
	return func() (sasl.Mechanism, error) {
		m, err := scram.Mechanism(hash, s.Username, s.Password())
		if err != nil {
			// The library's error may quote what it could not prepare.
			return nil, fmt.Errorf("KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD holds characters that SCRAM (RFC 5802) forbids")
		}
		return m, nil
	}
}

// login makes its mechanism anew for each connection. kafka-go's own ones hold
// the password they were built with for ever.
type login struct {
	name  string
	start func() (sasl.Mechanism, error)
}

func (l login) Name() string { return l.name }

func (l login) Start(ctx context.Context) (sasl.StateMachine, []byte, error) {
	m, err := l.start()
	if err != nil {
		return nil, nil, err
	}
	return m.Start(ctx)
}
