package submit

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/provider"
)

func TestCommandThatCannotBeUsedIsNeverSubmitted(t *testing.T) {
	tests := map[string]struct {
		change func(*sms.Command)
		reason sms.Reason
	}{
		"no recipients":               {func(c *sms.Command) { c.To = nil }, sms.InvalidRecipient},
		"blank recipients":            {func(c *sms.Command) { c.To = []string{"", "  "} }, sms.InvalidRecipient},
		"no number among them":        {func(c *sms.Command) { c.To = []string{"nobody", "12"} }, sms.InvalidRecipient},
		"number that is not allowed":  {func(c *sms.Command) { c.To = []string{"13900000001"} }, sms.NumberNotAllowed},
		"no text":                     {func(c *sms.Command) { c.Text = " " }, sms.ValidationFailed},
		"text too long":               {func(c *sms.Command) { c.Text = strings.Repeat("长", 501) }, sms.ContentTooLong},
		"more segments than allowed":  {func(c *sms.Command) { c.Text = strings.Repeat("长", 71); c.MaxSegments = 1 }, sms.ContentTooLong},
		"two signatures":              {func(c *sms.Command) { c.Text = "【甲】hello"; c.Signature = "乙" }, sms.SignatureConflict},
		"the default's is another":    {func(c *sms.Command) { c.Text = "【甲】hello" }, sms.SignatureConflict},
		"send_at after expires_at":    {func(c *sms.Command) { c.SendAt, c.ExpiresAt = c.At.Add(2*time.Hour), c.At.Add(time.Hour) }, sms.ValidationFailed},
		"send_at too far ahead":       {func(c *sms.Command) { c.SendAt = c.At.Add(7*24*time.Hour + time.Second) }, sms.ValidationFailed},
		"extension that is no number": {func(c *sms.Command) { c.Extension = "12a" }, sms.ValidationFailed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, accepts, healthy, func(c *Config) {
					c.Signature = "Bridge"
					c.NumberAllow = []string{"1380000"}
				})
				cmd := command(1)
				test.change(cmd)
				r := l.must(t, cmd)
				if r.Status != sms.Invalid || r.Reason != test.reason || r.Detail == "" {
					t.Errorf("got %s/%s (%s), want invalid/%s", r.Status, r.Reason, r.Detail, test.reason)
				}
				if l.posts() != 0 || len(l.guard.attempts) != 0 || len(r.Submissions) != 0 {
					t.Error("it was submitted, or the guard was asked")
				}
			})
		})
	}
}

func TestTextNeedsASignatureUnlessTheAccountHasOneBound(t *testing.T) {
	for name, test := range map[string]struct {
		text    string
		bound   bool
		sign    string // of the request
		content string
		reason  sms.Reason
	}{
		"none":                  {"hello", false, "", "", sms.SignatureMissing},
		"bound":                 {"hello", true, "", "hello", ""},
		"in front":              {"【甲】hello", false, "甲", "hello", ""},
		"behind":                {"hello【甲】", false, "甲", "hello", ""},
		"behind, and a newline": {"hello【甲】\n", false, "甲", "hello", ""},
		"an empty one":          {"hello【】", false, "", "", sms.SignatureMissing},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, accepts, healthy, func(c *Config) { c.SignatureBound = test.bound })
				cmd := command(1)
				cmd.Text = test.text
				r := l.must(t, cmd)
				if r.Reason != test.reason {
					t.Fatalf("got %s/%s (%s)", r.Status, r.Reason, r.Detail)
				}
				if test.reason != "" {
					if l.posts() != 0 || r.Status != sms.Invalid {
						t.Errorf("%s, %d requests", r.Status, l.posts())
					}
					return
				}
				if got := l.requests[0]; got.Sign != test.sign || got.Content != test.content {
					t.Errorf("submitted %q with the signature %q", got.Content, got.Sign)
				}
			})
		})
	}
}

func TestSendAtWithinItsBoundIsSubmittedNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, accepts, healthy, nil)
		cmd := command(1)
		cmd.SendAt = cmd.At.Add(7 * 24 * time.Hour) // beyond the validity, which ends with the submit
		if r := l.must(t, cmd); r.Status != sms.Accepted || !l.requests[0].SendAt.Equal(cmd.SendAt) {
			t.Errorf("got %s/%s, to be sent at %s", r.Status, r.Reason, l.requests[0].SendAt)
		}
	})
}

func TestRecipientsAreNormalisedAndToldByTheirIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, accepts, healthy, func(c *Config) { c.NumberAllow = []string{"+86 138 0000 0001", "1380000000", "+86137"} })
		cmd := command(0)
		cmd.To = []string{
			"+86 138-0000-0001", "", "1380000000", "13800000002", "008613800000001", "13900000009", "13700000001", "13900000009",
		}
		r := l.must(t, cmd)
		if got, want := l.requests[0].Mobiles, []string{"13800000001", "13800000002", "13700000001"}; !slices.Equal(got, want) {
			t.Errorf("submitted %v, want %v", got, want)
		}
		want := []sms.Refusal{{Index: 2, Reason: sms.InvalidRecipient}, {Index: 5, Reason: sms.NumberNotAllowed}}
		if !slices.Equal(r.Refused, want) {
			t.Errorf("refused %v, want %v", r.Refused, want)
		}
		if r.Status != sms.PartiallyAccepted || r.Reason != sms.InvalidRecipient || r.Recipients != 5 || r.Accepted != 3 {
			t.Errorf("got %s/%s, %d of %d", r.Status, r.Reason, r.Accepted, r.Recipients)
		}
	})
}

func TestManyRecipientsAreEachSubmittedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, accepts, healthy, func(c *Config) { c.MaxRecipients = 7 })
		cmd := command(100)
		cmd.To = append(cmd.To, cmd.To...)
		r := l.must(t, cmd)
		var all []string
		for _, request := range l.requests {
			if len(request.Mobiles) > 7 {
				t.Errorf("a request of %d recipients", len(request.Mobiles))
			}
			all = append(all, request.Mobiles...)
		}
		if !slices.Equal(all, cmd.To[:100]) || len(r.Submissions) != 15 || r.Recipients != 100 || r.Accepted != 100 {
			t.Errorf("%d submitted in %d parts, %d accepted of %d", len(all), len(r.Submissions), r.Accepted, r.Recipients)
		}
		for i, s := range r.Submissions {
			if s.Part != i || s.First != 7*i || s.Last != min(7*i+6, 99) || s.Recipients != s.Last-s.First+1 {
				t.Errorf("part %d: %+v", i, s)
			}
		}
	})
}

func TestRequestCarriesWhatTheCommandSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, inTurn(throttle(time.Hour), accepts), healthy, func(c *Config) { c.Signature = "Bridge" })
		cmd := command(1)
		cmd.Text, cmd.Extension, cmd.SendAt = "【Bridge】hello", "42", time.Now().Add(time.Minute)
		r := l.must(t, cmd)
		want := provider.Request{Content: "hello", Sign: "Bridge", Extension: "42", Mobiles: cmd.To, SendAt: cmd.SendAt}
		got := l.requests[0]
		got.Still = nil // not to be compared
		if !reflect.DeepEqual(got, want) {
			t.Errorf("request %+v, want %+v", got, want)
		}
		if !l.requests[1].SendAt.IsZero() {
			t.Error("a time that is past by the second attempt is still sent")
		}
		if r.Segments != 1 || r.Encoding != sms.UCS2 || r.BillableSegments != 1 {
			t.Errorf("%d segments, %d billable, %s", r.Segments, r.BillableSegments, r.Encoding)
		}
		if r.SubmittedAt != r.Submissions[0].SubmittedAt || r.SubmittedAt.IsZero() {
			t.Errorf("submitted at %s, the only part at %s", r.SubmittedAt, r.Submissions[0].SubmittedAt)
		}
	})
}

func TestValidityIsCountedFromTheRecord(t *testing.T) {
	at := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		cmd  sms.Command
		want time.Time
	}{
		"by class, otp":               {sms.Command{At: at, Class: sms.OTP}, at.Add(5 * time.Minute)},
		"by class, notice":            {sms.Command{At: at, Class: sms.Notice}, at.Add(24 * time.Hour)},
		"sooner with expires_at":      {sms.Command{At: at, ExpiresAt: at.Add(time.Minute)}, at.Add(time.Minute)},
		"never later with expires_at": {sms.Command{At: at, Class: sms.OTP, ExpiresAt: at.Add(time.Hour)}, at.Add(5 * time.Minute)},
		"not extended by send_at":     {sms.Command{At: at, Class: sms.OTP, SendAt: at.Add(time.Hour)}, at.Add(5 * time.Minute)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := &Submitter{config: Config{Validity: Validity{OTP: 5 * time.Minute, Notice: 24 * time.Hour, Marketing: 24 * time.Hour}}}
			if got := s.expiry(&test.cmd); !got.Equal(test.want) {
				t.Errorf("valid until %s, want %s", got, test.want)
			}
		})
	}
	t.Run("from now where the record has no time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &Submitter{config: Config{Validity: Validity{Notice: time.Hour}}}
			if got := s.expiry(&sms.Command{}); !got.Equal(time.Now().Add(time.Hour)) {
				t.Errorf("valid until %s", got)
			}
		})
	})
}

func TestHistoryIsContinued(t *testing.T) {
	accepted := func(part, first, last int) *sms.Submission {
		return &sms.Submission{
			Part: part, First: first, Last: last, Status: sms.Accepted, Attempts: 1,
			Recipients: last - first + 1, Accepted: last - first + 1, ProviderMessageID: "20140821110353234137876543",
		}
	}
	unknown := &sms.Submission{First: 0, Last: 3, Status: sms.Unknown, Reason: sms.ProviderError, Attempts: 1, Recipients: 4}
	tests := map[string]struct {
		parts    []Part
		change   func(*Config)
		command  func(*sms.Command)
		requests []int // recipients of each
		first    Attempt
		status   sms.Status
		reason   sms.Reason
		flagged  bool // possible duplicate in the first submission
	}{
		"the split begun is kept": {
			parts: []Part{{First: 0, Last: 2, Done: accepted(0, 0, 2)}}, requests: []int{1}, status: sms.Accepted,
			first: Attempt{Part: 1, First: 3, Last: 3, Number: 1},
		},
		"everything was done": {
			parts:  []Part{{First: 0, Last: 3, Done: accepted(0, 0, 3)}},
			status: sms.Accepted,
		},
		"released attempts are no doubt": {
			parts: []Part{{First: 0, Last: 3, Attempts: 2}}, requests: []int{4}, status: sms.Accepted,
			first: Attempt{Last: 3, Number: 3},
		},
		"in doubt": {
			parts:  []Part{{First: 0, Last: 3, Doubts: 1, Attempts: 1}},
			status: sms.Unknown, reason: sms.Interrupted,
		},
		"in doubt, sent once more if asked for": {
			parts: []Part{{First: 0, Last: 3, Doubts: 1, Attempts: 1}}, change: resend, requests: []int{4}, status: sms.Accepted,
			first: Attempt{Last: 3, Number: 2, PossibleDuplicate: true}, flagged: true,
		},
		"in doubt twice, never again": {
			parts: []Part{{First: 0, Last: 3, Doubts: 2, Attempts: 2}}, change: resend,
			status: sms.Unknown, reason: sms.Interrupted, flagged: true,
		},
		"unknown, and told so again": {
			parts:  []Part{{First: 0, Last: 3, Done: unknown, Doubts: 1, Attempts: 1}},
			status: sms.Unknown, reason: sms.ProviderError,
		},
		"unknown, sent once more if asked for": {
			parts: []Part{{First: 0, Last: 3, Done: unknown, Doubts: 1, Attempts: 1}}, change: resend, requests: []int{4},
			status: sms.Accepted, first: Attempt{Last: 3, Number: 2, PossibleDuplicate: true}, flagged: true,
		},
		"unknown and in doubt, never again": {
			parts: []Part{{First: 0, Last: 3, Done: unknown, Doubts: 2, Attempts: 2}}, change: resend,
			status: sms.Unknown, reason: sms.ProviderError,
		},
		"expired since, first part done": {
			parts:   []Part{{First: 0, Last: 1, Done: accepted(0, 0, 1)}},
			command: func(c *sms.Command) { c.ExpiresAt = time.Now() },
			status:  sms.PartiallyAccepted, reason: sms.ValidityExpired,
		},
		"expired since, in doubt": {
			parts:   []Part{{First: 0, Last: 3, Doubts: 1, Attempts: 1}},
			command: func(c *sms.Command) { c.ExpiresAt = time.Now() }, change: resend,
			status: sms.Unknown, reason: sms.Interrupted,
		},
		"cannot be used any more, first part done": {
			parts:  []Part{{First: 0, Last: 1, Done: accepted(0, 0, 1)}, {First: 2, Last: 3, Attempts: 1}},
			change: func(c *Config) { c.Signature = strings.Repeat("长", 500) },
			status: sms.PartiallyAccepted, reason: sms.ContentTooLong,
		},
		"cannot be used any more, in doubt": {
			parts:  []Part{{First: 0, Last: 3, Doubts: 1, Attempts: 1}},
			change: func(c *Config) { resend(c); c.Signature = strings.Repeat("长", 500) },
			status: sms.Unknown, reason: sms.Interrupted,
		},
		"numbers refused since do not move the ranges": {
			parts:  []Part{{First: 0, Last: 1, Done: accepted(0, 0, 1)}},
			change: func(c *Config) { c.NumberAllow = []string{number(2), number(3)} }, requests: []int{2},
			first:  Attempt{Part: 1, First: 2, Last: 3, Number: 1},
			status: sms.PartiallyAccepted, reason: sms.NumberNotAllowed,
		},
		"a range that is not the command's": {
			parts: []Part{{First: 0, Last: 7}}, change: resend,
			status: sms.Unknown, reason: sms.Interrupted,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, accepts, healthy, test.change)
				cmd := command(4)
				if test.command != nil {
					test.command(cmd)
				}
				r, err := l.Submit(t.Context(), t.Context(), cmd, History{Parts: test.parts}, l.guard)
				if err != nil {
					t.Fatal(err)
				}
				if r.Status != test.status || r.Reason != test.reason {
					t.Errorf("got %s/%s, want %s/%s", r.Status, r.Reason, test.status, test.reason)
				}
				var requests []int
				for _, request := range l.requests {
					requests = append(requests, len(request.Mobiles))
				}
				if !slices.Equal(requests, test.requests) {
					t.Errorf("requests of %v recipients, want %v", requests, test.requests)
				}
				if len(l.guard.attempts) > 0 {
					first := l.guard.attempts[0]
					first.Expires = time.Time{}
					if first != test.first {
						t.Errorf("first attempt %+v, want %+v", first, test.first)
					}
				}
				if len(r.Submissions) > 0 && r.Submissions[0].PossibleDuplicate != test.flagged {
					t.Errorf("possible duplicate: %v", r.Submissions[0].PossibleDuplicate)
				}
			})
		})
	}
}

func TestConfigurationThatCannotWorkIsRefused(t *testing.T) {
	_, err := New(Config{})
	for _, name := range []string{"Provider", "Meter", "MaxRecipients", "Retry", "OnUnknown", "Validity"} {
		if !strings.Contains(fmt.Sprint(err), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
	if _, err := NewLine(LineConfig{}); err == nil {
		t.Error("a line without anything was made")
	}
}
