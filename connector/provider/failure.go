package provider

import (
	"errors"
	"time"

	"smsbridge/codec/sms"
)

// Class says what a failure means for the next call. It is the only thing that
// retry asks; the text of an error is for people.
type Class int

// The classes of a failure. There is no zero class: a Failure that nobody
// classified must not pass for one that may be repeated.
const (
	// NotSent: the provider cannot have the request. It may be made again.
	NotSent Class = iota + 1
	// Unknown: the request was written and no answer could be read, so it may
	// have been carried out. It must not be made again unless the user asked
	// for that: a second text to the same phone is worse than an honest unknown.
	Unknown
	// LineDown: the provider refused us rather than the message (address,
	// credentials). The request was not carried out, and no other would be.
	LineDown
	// Throttled: the provider said "later". The request was not carried out and
	// may be made again after Failure.After.
	Throttled
)

// String names the class as it stands in logs and metrics.
func (c Class) String() string {
	switch c {
	case NotSent:
		return "not_sent"
	case Unknown:
		return "unknown"
	case LineDown:
		return "line_down"
	case Throttled:
		return "throttled"
	default:
		return "unclassified"
	}
}

// ErrWithheld is the cause of a NotSent failure that the caller wanted, by
// Request.Still.
var ErrWithheld = errors.New("the caller no longer wanted it")

// Failure is a call that brought no answer of the provider's.
type Failure struct {
	Class  Class
	Reason sms.Reason
	After  time.Duration // the provider's own wish to be left alone; zero if it gave none
	Err    error         // what happened; holds no URL, credentials, number or text
}

// Error tells what happened. It is safe to log.
func (f *Failure) Error() string {
	if f.Err == nil {
		return f.Class.String()
	}
	return f.Class.String() + ": " + f.Err.Error()
}

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Again reports whether the same request may be made once more, and after how
// long at the earliest. After LineDown it may too, but only once the line is
// open again, which is not a matter of time.
func (f *Failure) Again() (after time.Duration, ok bool) {
	return f.After, f.Class == NotSent || f.Class == Throttled
}
