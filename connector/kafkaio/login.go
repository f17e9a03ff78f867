package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/saslauthenticate"
	"github.com/segmentio/kafka-go/protocol/saslhandshake"
	"github.com/segmentio/kafka-go/sasl"
)

// logIn makes the broker know us, and notes until when it does. On failure it
// says which setting is wrong.
func (c *conn) logIn(ctx context.Context, mechanism sasl.Mechanism) (remedy string, err error) {
	begun := time.Now()
	res, err := c.exchange(&saslhandshake.Request{Mechanism: mechanism.Name()}, 1)
	if err != nil {
		return "KAFKA_SASL_MECHANISM: the broker hung up when asked for " + mechanism.Name(), err
	}
	handshake, ok := res.(*saslhandshake.Response)
	if !ok {
		return "", fmt.Errorf("answered by %T", res)
	}
	switch code := kafka.Error(handshake.ErrorCode); code {
	case 0:
	case kafka.UnsupportedSASLMechanism:
		return "KAFKA_SASL_MECHANISM: the broker offers " + strings.ToLower(strings.Join(handshake.Mechanisms, ", ")), errors.New(title(code))
	case kafka.IllegalSASLState:
		return "KAFKA_SASL_MECHANISM: unset it, or use the listener that wants a login; this one does not", errors.New(title(code))
	default:
		return "KAFKA_SASL_MECHANISM: the broker refused it", errors.New(title(code))
	}
	session, state, err := mechanism.Start(sasl.WithMetadata(ctx, c.place()))
	if err != nil {
		return "", err
	}
	const wrong = "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD: the broker does not accept them (nor would it, were the user made for another mechanism)"
	for done := false; !done; {
		answer, err := c.authenticate(state)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			// It took part in the handshake: this is how some say no.
			return wrong, errSilentNo
		case err != nil:
			return wrong, err
		}
		if answer.ErrorCode != 0 {
			return wrong, errors.New(title(kafka.Error(answer.ErrorCode)))
		}
		if told := answer.SessionLifetimeMs; told > 0 {
			// At its end (connections.max.reauth.ms, or a token's own) the broker
			// hangs up on the next request, whose outcome is then unknown.
			c.ends = begun.Add(time.Duration(told) * time.Millisecond / 10 * 9)
		}
		done, state, err = session.Next(ctx, answer.AuthBytes)
		if err != nil {
			return wrong, fmt.Errorf("%s: %w", mechanism.Name(), err)
		}
	}
	return "", nil
}

func (c *conn) authenticate(state []byte) (*saslauthenticate.Response, error) {
	// kafka-go's request would write itself without a frame for the first
	// brokers that knew logins, and believe any length that they answer.
	if c.offered[protocol.SaslAuthenticate] < 0 || c.offered[protocol.SaslHandshake] < 1 {
		return nil, errors.New("the broker is too old: Kafka 2.3 or later is needed")
	}
	res, err := c.exchange(&saslauthenticate.Request{AuthBytes: state}, 1)
	if err != nil {
		return nil, err
	}
	answer, ok := res.(*saslauthenticate.Response)
	if !ok {
		return nil, fmt.Errorf("answered by %T", res)
	}
	return answer, nil
}
