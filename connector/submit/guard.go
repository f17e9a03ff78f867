package submit

import (
	"context"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/connector/provider"
)

// Provider makes one submit call, once. Its Failure says whether the provider
// can have the request.
type Provider interface {
	Submit(ctx context.Context, r provider.Request) (wire.Answer, *provider.Failure)
}

// Guard makes an attempt safe against a second sender.
type Guard interface {
	// Begin returns when the intent to make the attempt is durable and nobody
	// else may make it. An error means that it must not be made. What takes
	// longer than the validity comes back as a permit all the same and is
	// released: without Kafka no result could be told either.
	Begin(ctx context.Context, a Attempt) (Permit, error)
}

// Attempt is one submit of one part that is about to be made.
type Attempt struct {
	Part              int // from 0
	First, Last       int // indexes of its recipients after normalising, inclusive
	Number            int // of this attempt among all of the part, from 1
	Expires           time.Time
	PossibleDuplicate bool // an earlier attempt may have been carried out
}

// Permit allows one attempt. Exactly one of Release and Done follows, before
// the part is attempted again and before Submit returns; an error of either
// means that the command is not decided here.
type Permit interface {
	// Valid reports whether the permit still holds. It is asked last of all
	// before the request.
	Valid() bool
	// Release says that nothing was sent by this attempt, and will not be.
	Release(ctx context.Context) error
	// Done says what came of the attempt. It returns when that is durable.
	// With status unknown another attempt of the same part may follow.
	Done(ctx context.Context, s sms.Submission) error
}

// History is what earlier owners of a command left; empty for a fresh one.
type History struct {
	// Parts are the parts that were begun, in order and without gaps. Their
	// ranges hold whatever the configuration says now: splitting anew would mix
	// numbers that have their text with numbers that have not.
	Parts []Part
}

// Part is what is known of a part that was begun.
type Part struct {
	First, Last int             // indexes of its recipients after normalising, inclusive
	Done        *sms.Submission // the last recorded outcome; nil when there is none
	// Doubts counts the attempts that may have been carried out and whose
	// answer nobody read: open ones, and those recorded as unknown.
	Doubts   int
	Attempts int // all that were begun, so that numbers go on
}
