package simulator

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Faults are what goes wrong, as probabilities from 0 to 1 for each request; at
// most one strikes. "Carried out" means that the provider accepts the texts and
// reports on them, whatever it answers.
type Faults struct {
	Drop     float64 `json:"drop"`     // carried out, then the connection ends without an answer
	Reset    float64 `json:"reset"`    // carried out, then reset
	Cut      float64 `json:"cut"`      // carried out, the answer ends in the middle
	Error    float64 `json:"error"`    // 500, 502 or 504; one in two carried out
	HTML     float64 `json:"html"`     // 200 with a page; one in two carried out
	System   float64 `json:"system"`   // code -1, not carried out
	Redirect float64 `json:"redirect"` // 307 to itself, not carried out
	Throttle float64 `json:"throttle"` // 429, not carried out
	Busy     float64 `json:"busy"`     // 503 with Retry-After, not carried out
	Hang     float64 `json:"hang"`     // nothing for HangFor, then the end; one in two carried out
	Stale    float64 `json:"stale"`    // answered; the next request on the connection is reset unread
	Miscount float64 `json:"miscount"` // answered with a Content-Length that counts characters

	HangFor    Duration `json:"hang_for"`
	RetryAfter int      `json:"retry_after"` // seconds, for Throttle and Busy; 0: 429 without it
	LatencyMin Duration `json:"latency_min"` // of every answer, evenly between min and max
	LatencyMax Duration `json:"latency_max"`

	// Code answers every submit, and 10 to 13 every balance call as well, until
	// CodeFor is over (0: until it is changed).
	Code     string   `json:"code"`
	CodeText string   `json:"code_text"`
	CodeFor  Duration `json:"code_for"`

	// Faults of one text or of some numbers, whatever else passes. Numbers are named
	// by how the first recipient begins; empty: none.
	Forbid          string   `json:"forbid"`           // contents that hold it: a gateway's 403, not carried out
	ThrottleNumbers string   `json:"throttle_numbers"` // 429 with a Retry-After of ThrottleAfter seconds, not carried out
	ThrottleAfter   int      `json:"throttle_after"`
	SlowNumbers     string   `json:"slow_numbers"` // answered after SlowFor
	SlowFor         Duration `json:"slow_for"`

	Repeat    float64 `json:"repeat"`     // reports that are pushed once more, byte for byte, while their proof is fresh
	Early     float64 `json:"early"`      // submits whose reports come before their answer
	Hostile   float64 `json:"hostile"`    // inbound messages that imitate the protocol
	PushRaw   float64 `json:"push_raw"`   // pushes that are not percent-encoded
	PushQuery float64 `json:"push_query"` // pushes with their fields in the query

	// Storm holds reports back and lets all of them go together, so often; 0: each
	// comes in its own time.
	Storm Duration `json:"storm"`
}

// share is a fault with its probability.
type share struct {
	name string
	of   float64
}

func (f *Faults) shares() [12]share {
	return [...]share{
		{"drop", f.Drop},
		{"reset", f.Reset},
		{"cut", f.Cut},
		{"error", f.Error},
		{"html", f.HTML},
		{"system", f.System},
		{"redirect", f.Redirect},
		{"throttle", f.Throttle},
		{"busy", f.Busy},
		{"hang", f.Hang},
		{"stale", f.Stale},
		{"miscount", f.Miscount},
	}
}

// draw chooses the fault of one request; empty: none.
func (f *Faults) draw() string {
	r := rand.Float64()
	for _, s := range f.shares() {
		if r < s.of {
			return s.name
		}
		r -= s.of
	}
	return ""
}

// strikes chooses the fault of a request: that of its text or its number, else one
// that is drawn.
func (f *Faults) strikes(r form) string {
	switch {
	case f.Forbid != "" && strings.Contains(r.content, f.Forbid):
		return "forbidden"
	case begins(r, f.ThrottleNumbers):
		return "throttled"
	}
	return f.draw()
}

func begins(r form, prefix string) bool { return prefix != "" && strings.HasPrefix(r.mobile, prefix) }

func (f *Faults) latency(r form) time.Duration {
	if begins(r, f.SlowNumbers) {
		return time.Duration(f.SlowFor)
	}
	return between(f.LatencyMin, f.LatencyMax)
}

func (f *Faults) validate() error {
	sum := 0.0
	for _, s := range f.shares() {
		if s.of < 0 || s.of > 1 {
			return fmt.Errorf("%s: %v is not between 0 and 1", s.name, s.of)
		}
		sum += s.of
	}
	if sum > 1 {
		return fmt.Errorf("the faults' probabilities add up to %v, more than 1", sum)
	}
	if min(f.LatencyMin, f.HangFor, f.CodeFor, f.Storm, f.SlowFor) < 0 || f.RetryAfter < 0 || f.ThrottleAfter < 0 {
		return errors.New("a time is below zero")
	}
	return nil
}

// carriedOut reports whether the provider acts on a request that fault strikes.
func carriedOut(fault string) bool {
	switch fault {
	case "system", "redirect", "throttle", "busy", "forbidden", "throttled":
		return false
	case "error", "html", "hang":
		return rand.IntN(2) == 0
	default:
		return true
	}
}

// Duration is a time.Duration that JSON and flags write as "1.5s".
type Duration time.Duration

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// MarshalText writes what time.Duration's String does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func between(low, high Duration) time.Duration {
	if high <= low {
		return time.Duration(low)
	}
	return time.Duration(low + Duration(rand.Int64N(int64(high-low)+1)))
}
