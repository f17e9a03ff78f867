package submit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v4"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"smsbridge/codec"
	"smsbridge/codec/sms"
)

// Config says how commands are submitted. Everything is needed except where a
// zero value is given a meaning.
type Config struct {
	Provider Provider
	Line     *Line // its Run runs
	Rate     *Rate
	Orders   Orders // of operators; nil: there are none
	Caps     Caps   // nil: there are none
	Quiet    Quiet  // hours in which some classes wait
	// Suppressed reports whether a number, in digits as they are submitted, gets no
	// texts of a class. It is asked before every request. Nil: nobody is.
	Suppressed func(class sms.Class, digits string) bool

	Account        string        // alias in results
	HashKey        codec.HashKey // of the hashes in results; nil: there are none
	Group          string        // consumer group that the commands come by, for traces
	Signature      string        // of commands that have none; may be empty
	SignatureBound bool          // the account has one at the provider, so a text needs none
	NumberAllow    []string      // prefixes or numbers; empty: all
	MaxRecipients  int           // of a request
	MaxInFlight    int           // requests under way in this process
	Retry          Retry
	OnUnknown      sms.OnUnknown // of commands that do not say
	Validity       Validity
	SendAtMax      time.Duration // how far ahead of the record's timestamp send_at may lie; 0: without end

	Log    *slog.Logger
	Meter  metric.Meter
	Tracer trace.Tracer
}

// Orders are what operators have told to hold or to cancel.
type Orders interface {
	// Standing is what stands for a command now, and the next time that this may
	// change. It is asked before every request, and must be quick.
	Standing(cmd *sms.Command) (Order, *Event)
}

// Order of an operator about a command.
type Order uint8

const (
	// Proceed with it: the usual.
	Proceed Order = iota
	// Hold it until something changes or its validity ends.
	Hold
	// Cancel what of it was not submitted yet.
	Cancel
)

// Caps bound the recipients of the whole group within a time.
type Caps interface {
	// Queue gives a request its place.
	Queue(recipients int) Place
}

// Place is a request's place before the caps. It is for one goroutine.
type Place interface {
	// Reserve returns nil when there is room for the request, which is then kept for
	// it. Else the request waits behind earlier ones, until that is to be asked
	// again.
	Reserve() *Event
	// Confirm reports whether the room is there in the whole group, and ends the
	// reservation. It is asked between a durable intent and its request: from then
	// on the intent is what counts.
	Confirm(ctx context.Context) (bool, error)
	// Leave gives up waiting and whatever is reserved.
	Leave()
}

// Retry says how a part that was not sent is tried again.
type Retry struct {
	Initial, Max time.Duration
	Multiplier   float64
	MaxAttempts  int // 0: until the validity ends. Attempts through which the line is reopened do not count
}

// backoff returns the growing waits of one part. They vary by half, so that
// what failed together is not tried again together.
func (r Retry) backoff() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(r.Initial),
		backoff.WithMaxInterval(r.Max),
		backoff.WithMultiplier(r.Multiplier),
		// The library gives up after 15 minutes by itself; the validity decides here.
		backoff.WithMaxElapsedTime(0),
	)
}

// Validity is how long the commands of each class may be submitted, from their
// record's timestamp.
type Validity struct {
	OTP, Notice, Marketing time.Duration
}

func (v Validity) of(c sms.Class) time.Duration {
	switch c {
	case sms.OTP:
		return v.OTP
	case sms.Marketing:
		return v.Marketing
	default:
		return v.Notice
	}
}

func (c *Config) check() error {
	var faults []error
	need := func(ok bool, what string) {
		if !ok {
			faults = append(faults, fmt.Errorf("submit: %s", what))
		}
	}
	need(c.Provider != nil && c.Line != nil && c.Rate != nil, "Provider, Line and Rate are needed")
	need(c.Log != nil && c.Meter != nil && c.Tracer != nil, "Log, Meter and Tracer are needed")
	need(c.MaxRecipients > 0 && c.MaxInFlight > 0, "MaxRecipients and MaxInFlight must be above zero")
	need(c.Retry.Initial > 0 && c.Retry.Max >= c.Retry.Initial && c.Retry.Multiplier >= 1 && c.Retry.MaxAttempts >= 0,
		"Retry needs Initial above zero, Max not below it, Multiplier of 1 or more, MaxAttempts of 0 or more")
	need(c.OnUnknown == sms.ReportUnknown || c.OnUnknown == sms.ResendUnknown, "OnUnknown must be report or resend")
	need(c.Validity.OTP > 0 && c.Validity.Notice > 0 && c.Validity.Marketing > 0, "every Validity must be above zero")
	return errors.Join(faults...)
}
