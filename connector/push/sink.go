package push

import (
	"context"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
)

// Kind is what a push tells.
type Kind string

// The kinds of a push, as they stand in its path.
const (
	Report  Kind = "report"
	Inbound Kind = "inbound"
	noKind  Kind = "none"
)

// Raw is a push as it came, proven to come from the provider. The fields stand
// in the query, the body or both, nothing decoded.
type Raw struct {
	wire.Push
	Kind       Kind
	ReceivedAt time.Time
}

// Sink makes pushes durable. Its methods return nil only when what they were
// given cannot be lost any more (every in-sync replica has it), for then the
// provider is told to forget it. They return when ctx ends at the latest; an
// error makes the answer a 503, and the provider may come again. What was given
// may be kept: nothing is used again.
type Sink interface {
	// Report takes one delivery report, perhaps of several numbers.
	Report(ctx context.Context, raw Raw, report wire.ReportPush) error
	// Inbound takes the messages of one push, those that could be read.
	Inbound(ctx context.Context, raw Raw, messages []sms.Inbound) error
	// DeadLetter takes a push that could not be read, or not all of it. The
	// cause holds no value of it.
	DeadLetter(ctx context.Context, raw Raw, cause error) error
}
