package provider

import "time"

// Request is one submit: one text to the recipients of one part.
type Request struct {
	Content   string // without signature
	Mobiles   []string
	Sign      string    // bare, the provider adds the brackets
	Extension string    // digits, may be empty
	SendAt    time.Time // zero: now
}
