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

// Pushed is a push as it was read. At least one of Report, Inbound and
// Unreadable is set.
type Pushed struct {
	Raw
	Report  *wire.ReportPush // one delivery report, perhaps of several numbers
	Inbound []sms.Inbound    // the messages that could be read
	// Unreadable is why the push, or the rest of it, goes to the dead letters. It
	// holds no value of it.
	Unreadable error
}

// Sink makes pushes durable.
type Sink interface {
	// Keep returns nil only when what it was given cannot be lost any more (every
	// in-sync replica has it), for then the provider is told to forget it. Pushes
	// of one call keep their order. It returns when ctx ends at the latest; an
	// error makes the answer a 503, and the provider may come again. A
	// *wire.Unreadable says that to come again would change nothing. What was
	// given may be kept: nothing is used again.
	Keep(ctx context.Context, pushes ...Pushed) error
}
