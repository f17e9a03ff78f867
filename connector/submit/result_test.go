package submit

import (
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/codec/sms"
)

func sub(status sms.Status, reason sms.Reason, accepted, recipients int) sms.Submission {
	return sms.Submission{Status: status, Reason: reason, Accepted: accepted, Recipients: recipients, Attempts: 1}
}

func TestStatusOfACommandFollowsFromItsParts(t *testing.T) {
	good := sub(sms.Accepted, "", 2, 2)
	mixed := sub(sms.PartiallyAccepted, sms.BlockedRecipient, 1, 2)
	bad := sub(sms.Rejected, sms.ContentRejected, 0, 2)
	late := sub(sms.Expired, sms.InsufficientBalance, 0, 2)
	lost := sub(sms.Unknown, sms.Timeout, 0, 2)
	refused := []sms.Refusal{{Index: 1, Reason: sms.NumberNotAllowed}, {Index: 2, Reason: sms.InvalidRecipient}}
	tests := map[string]struct {
		parts   []sms.Submission
		refused []sms.Refusal
		status  sms.Status
		reason  sms.Reason
	}{
		"one accepted":                  {[]sms.Submission{good}, nil, sms.Accepted, ""},
		"all accepted":                  {[]sms.Submission{good, good}, nil, sms.Accepted, ""},
		"accepted, some refused":        {[]sms.Submission{good}, refused, sms.PartiallyAccepted, sms.NumberNotAllowed},
		"one mixed":                     {[]sms.Submission{mixed}, nil, sms.PartiallyAccepted, sms.BlockedRecipient},
		"accepted, then rejected":       {[]sms.Submission{good, bad}, nil, sms.PartiallyAccepted, sms.ContentRejected},
		"rejected, then accepted":       {[]sms.Submission{bad, good}, refused, sms.PartiallyAccepted, sms.ContentRejected},
		"none accepted":                 {[]sms.Submission{late, bad}, nil, sms.Expired, sms.InsufficientBalance},
		"none accepted, some refused":   {[]sms.Submission{bad, late}, refused, sms.Rejected, sms.ContentRejected},
		"unknown outweighs all":         {[]sms.Submission{good, bad, lost}, refused, sms.Unknown, sms.Timeout},
		"no parts, some refused":        {nil, refused, sms.Invalid, sms.NumberNotAllowed},
		"no parts, nobody even refused": {nil, nil, sms.Invalid, sms.InvalidRecipient},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if status, reason := aggregate(test.parts, test.refused); status != test.status || reason != test.reason {
				t.Errorf("got %s/%s, want %s/%s", status, reason, test.status, test.reason)
			}
		})
	}
}

// TestAggregationIsTheContractsWhateverTheParts says the rule a second time, by
// counting recipients.
func TestAggregationIsTheContractsWhateverTheParts(t *testing.T) {
	statuses := []sms.Status{
		sms.Accepted, sms.PartiallyAccepted, sms.Rejected, sms.Failed, sms.Expired, sms.Cancelled, sms.Unknown, sms.Invalid,
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		var (
			parts              []sms.Submission
			refused            []sms.Refusal
			accepted, all      int
			unknown, explained bool
		)
		for range random.IntN(5) {
			status, recipients := statuses[random.IntN(len(statuses))], 1+random.IntN(4)
			s := sub(status, sms.NetworkError, 0, recipients)
			switch status {
			case sms.Accepted:
				s.Accepted, s.Reason = recipients, ""
			case sms.PartiallyAccepted:
				s.Recipients, recipients = recipients+1, recipients+1
				s.Accepted = 1 + random.IntN(recipients-1)
			case sms.Unknown:
				unknown = true
			default:
			}
			accepted += s.Accepted
			all += recipients
			parts = append(parts, s)
		}
		for i := range random.IntN(3) {
			refused = append(refused, sms.Refusal{Index: i, Reason: sms.InvalidRecipient})
			all++
		}
		status, reason := aggregate(parts, refused)
		var want sms.Status
		switch {
		case unknown:
			want = sms.Unknown
		case accepted > 0 && accepted == all:
			want = sms.Accepted
		case accepted > 0:
			want = sms.PartiallyAccepted
		case len(parts) > 0:
			want = parts[0].Status
		default:
			want = sms.Invalid
		}
		explained = (reason == "") == (want == sms.Accepted)
		if status != want || !explained {
			t.Fatalf("%d parts %+v, refused %v: got %s/%s, want %s", len(parts), parts, refused, status, reason, want)
		}
	}
}

func TestCountsOfAnAnswerNeverExceedWhatWasAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boasts := func(accepted int) submitFunc {
			return answersFully(wireAnswer{Code: "0", SendID: "20140821110353234137876543", Accepted: accepted})
		}
		l := newLab(t, inTurn(boasts(500), boasts(0)), healthy, func(c *Config) { c.MaxRecipients = 1 })
		r := l.must(t, command(2))
		if r.Status != sms.PartiallyAccepted || r.Accepted != 1 || r.BillableSegments != 1 {
			t.Errorf("got %s, %d accepted, %d billable", r.Status, r.Accepted, r.BillableSegments)
		}
	})
}

func TestCommandThatNeverLeftHasNoSubmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, accepts, healthy, nil)
		cmd := command(1)
		cmd.ExpiresAt = cmd.At
		r := l.must(t, cmd)
		if r.Status != sms.Expired || len(r.Submissions) != 0 || !r.SubmittedAt.IsZero() || len(l.guard.attempts) != 0 {
			t.Errorf("got %+v", r)
		}
	})
}

func TestResultCarriesItsCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, accepts, healthy, nil)
		cmd := command(1)
		cmd.Key, cmd.Source = []byte("k"), sms.Position{Topic: "sms.commands", Partition: 3, Offset: 7}
		cmd.Metadata, cmd.Warnings = map[string]string{"a": "b"}, []string{"colour"}
		cmd.Trace = sms.Trace{Parent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", State: "a=b"}
		first := sms.First{Position: cmd.Source, Status: sms.Accepted}
		results := map[string]*sms.Result{
			"submitted": l.must(t, cmd),
			"invalid":   l.Invalid(cmd, errors.New("text: is missing; give one")),
			"duplicate": l.Duplicate(cmd, first),
		}
		for name, r := range results {
			if r.CommandID != cmd.ID || r.Command != cmd.Source || string(r.CommandKey) != "k" || r.Class != cmd.Class ||
				r.Metadata["a"] != "b" || len(r.Warnings) != 1 || r.Account != "default" || !r.CommandedAt.Equal(cmd.At) ||
				!r.At.Equal(time.Now()) || r.Trace != cmd.Trace || r.Detail == "" {
				t.Errorf("%s: %+v", name, r)
			}
		}
		if r := results["invalid"]; r.Status != sms.Invalid || r.Reason != sms.ValidationFailed || r.Revision != 1 {
			t.Errorf("invalid: %+v", r)
		}
		if r := results["duplicate"]; r.Status != sms.Duplicate || r.Revision != 0 || *r.DuplicateOf != first {
			t.Errorf("duplicate: %+v", r)
		}
	})
}
