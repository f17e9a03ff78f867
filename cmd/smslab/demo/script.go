package demo

import (
	"encoding/json"
	"fmt"
	"time"
)

// command is the JSON of a command.
type command struct {
	ID          string            `json:"id"`
	To          any               `json:"to,omitempty"`
	Text        string            `json:"text"`
	Signature   string            `json:"signature,omitempty"`
	Class       string            `json:"class,omitempty"`
	ExpiresAt   string            `json:"expires_at,omitempty"`
	SendAt      string            `json:"send_at,omitempty"`
	MaxSegments int               `json:"max_segments,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	Priority    string            `json:"priority,omitempty"` // no field of the contract
}

// recipe is a kind of command and what must become of it.
type recipe struct {
	name  string
	says  string // for people
	key   bool
	want  string // status of the result
	again bool   // with the id and the key of the latest that had a key
	dead  bool   // the record is kept as a dead letter
	make  func(c *command)
	write func(c command) []byte // nil: as JSON
}

// What the simulator is told to refuse.
const (
	sensitiveWord   = "casino"
	blacklistSuffix = "0404"
)

// recipes are gone through in turn, so that a short demo shows all of them.
func recipes() []recipe {
	soon := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	otp := func(c *command) { c.Class, c.Text = "otp", "Your code is 123456, valid for 5 minutes." }
	notice := func(c *command) {
		c.Text, c.Metadata = "您的包裹已到达，请及时领取。", map[string]string{"order": c.ID}
	}
	return []recipe{
		{name: "otp", says: "a one-time code", key: true, want: "accepted", make: otp},
		{name: "notice", says: "a notice with metadata", key: true, want: "accepted", make: notice},
		{name: "many", says: "marketing to three phones", want: "accepted", make: func(c *command) {
			c.Class, c.To, c.Text = "marketing", phones(3), "Sale: 20% off until Sunday. Reply T to opt out."
		}},
		{name: "otp", says: "a one-time code", key: true, want: "accepted", make: otp},
		{name: "split", says: "eight phones, at most three a request", want: "accepted", make: func(c *command) {
			c.Class, c.To, c.Text = "marketing", phones(8), "We moved: visit us in Fake Street."
		}},
		{name: "black", says: "one of three phones is blacklisted", want: "partially_accepted", make: func(c *command) {
			c.To, c.Text = []string{phone(), phone(), "1380000" + blacklistSuffix}, "Your appointment is tomorrow at 9."
		}},
		{name: "later", says: "to be sent in five seconds", key: true, want: "accepted", make: func(c *command) {
			c.SendAt, c.Text = soon(5*time.Second), "Your train leaves in an hour."
		}},
		{name: "again", says: "its id once more: it must not be sent again", key: true, again: true, want: "duplicate", make: notice},
		{name: "word", says: "the provider refuses its words", want: "rejected", make: func(c *command) {
			c.Text = "Win at our " + sensitiveWord
		}},
		{name: "late", says: "expired before it came", want: "expired", make: func(c *command) {
			c.ExpiresAt, c.Text = soon(-time.Minute), "Your table is free now."
		}},
		{name: "extra", says: "with a field that nobody knows", key: true, want: "accepted", make: func(c *command) {
			c.Text, c.Priority = "Your invoice is ready.", "high"
		}},
		{name: "nobody", says: "without recipients", want: "invalid", dead: true, make: func(c *command) {
			c.To, c.Text = nil, "To whom?"
		}},
		{name: "long", says: "two segments, one allowed", want: "invalid", make: func(c *command) {
			c.MaxSegments, c.Text = 1, fmt.Sprintf("%0170d", 0)
		}},
		{name: "broken", says: "half a JSON object", key: true, want: "invalid", dead: true, make: func(*command) {}, write: func(c command) []byte {
			return []byte(`{"id":"` + c.ID + `","to":`)
		}},
	}
}

func (r recipe) value(c command) ([]byte, error) {
	if r.write != nil {
		return r.write(c), nil
	}
	return json.Marshal(c)
}

var dialled int

// phone makes up a number of a range that belongs to nobody here.
func phone() string {
	dialled++
	if n := fmt.Sprintf("1380000%04d", dialled%10_000); n != "1380000"+blacklistSuffix {
		return n
	}
	return phone()
}

func phones(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = phone()
	}
	return list
}
