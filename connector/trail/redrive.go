package trail

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
)

// Selection says whose commands are to be put on their topic again. Of what is
// given, all must fit the final result.
type Selection struct {
	Statuses []sms.Status
	Reasons  []sms.Reason
	IDs      []string
	Span     Span // of the results
	// IncludeUnknown takes also those that may have been accepted, which may
	// text people twice. What was accepted, even in part, is never taken.
	IncludeUnknown bool
}

// Redrivable reports whether commands of a status may be put on their topic
// again.
func Redrivable(s sms.Status, includeUnknown bool) bool {
	switch s {
	case sms.Rejected, sms.Failed, sms.Expired, sms.Cancelled, sms.Suppressed, sms.Invalid:
		return true
	case sms.Unknown:
		return includeUnknown
	default:
		return false
	}
}

// Chosen is a command to be put on its topic again.
type Chosen struct {
	Command sms.Position
	OldID   string
	NewID   string
	Status  sms.Status
	Reason  sms.Reason
}

// Why a command that fits the selection is left as it is.
const (
	LeftAccepted = "was accepted, in another round or in part"
	LeftUnknown  = "may have been accepted; -include-unknown takes it all the same"
	LeftLater    = "was sent again, and that round is not among the chosen"
	LeftGone     = "its record is no longer on the command topic"
	LeftOther    = "another record stands where its own did"
	LeftExpired  = "its expires_at has passed; -valid-for gives it a new one"
	LeftTooLarge = "would be larger than 64 KiB"
	LeftUnusable = "cannot be read as a command"
	LeftRounds   = "went through 999 rounds already"
)

// Left counts what is left, by why.
type Left map[string]int

// mostChosen bounds one redrive, and with it memory: some 500 bytes for each.
const mostChosen = 1_000_000

// Choose finds the commands of a selection. Results are read twice, so that what
// is held grows with the commands that fit, and not with the topic: first for
// those that fit, then for all that is known of these, in every round.
func Choose(ctx context.Context, r Reader, t Topics, s Selection) ([]Chosen, Left, error) {
	stories := map[string]*story{}
	results := func(span Span, visit func(*sms.Result) error) error {
		return r.Topic(ctx, t.Results, span, func(rec *kafkaio.Record) error {
			result, err := codec.DecodeResult(rec.Value)
			// A duplicate is no verdict on its command's text.
			if err != nil || result.Command.Topic != t.Commands || result.Status == sms.Duplicate {
				return nil //nolint:nilerr // somebody else's record
			}
			return visit(&result)
		})
	}
	err := results(s.Span, func(result *sms.Result) error {
		if !s.fits(result) {
			return nil
		}
		if stem, _ := roundOf(result.CommandID); stories[stem] == nil {
			stories[stem] = &story{rows: map[sms.Position]verdict{}}
		}
		if len(stories) > mostChosen {
			return errors.New("more than a million commands fit; narrow the selection")
		}
		return nil
	})
	if err != nil || len(stories) == 0 {
		return nil, Left{}, err
	}
	// Up to now, whatever the selection says: a later row may say otherwise. And
	// from the beginning: so may an earlier round.
	err = results(Span{}, func(result *sms.Result) error {
		stem, round := roundOf(result.CommandID)
		if story := stories[stem]; story != nil {
			story.add(result, round, s.fits(result))
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	chosen, left := decide(stories, s.IncludeUnknown)
	return chosen, left, nil
}

// story is all rounds of one command.
type story struct {
	rows map[sms.Position]verdict
}

// verdict is the truth about one round, as far as it was read.
type verdict struct {
	id       string
	round    int
	revision int
	status   sms.Status
	reason   sms.Reason
	accepted bool
	fits     bool
	at       time.Time // of the command's record
}

// add notes a row of the results: the highest revision counts, among equals the
// latest.
func (s *story) add(r *sms.Result, round int, fits bool) {
	if before, known := s.rows[r.Command]; known && before.revision > r.Revision {
		return
	}
	s.rows[r.Command] = verdict{
		id: r.CommandID, round: round, revision: r.Revision, status: r.Status, reason: r.Reason,
		accepted: r.Accepted > 0 || r.Status == sms.Accepted || r.Status == sms.PartiallyAccepted,
		fits:     fits, at: r.CommandedAt,
	}
}

func decide(stories map[string]*story, includeUnknown bool) ([]Chosen, Left) {
	var chosen []Chosen
	left := Left{}
	for stem, s := range stories {
		at, why := s.last(includeUnknown)
		if why != "" {
			left[why]++
			continue
		}
		v := s.rows[at]
		if v.round >= mostRound {
			left[LeftRounds]++
			continue
		}
		chosen = append(chosen, Chosen{Command: at, OldID: v.id, NewID: nextRound(stem, v.round), Status: v.status, Reason: v.reason})
	}
	slices.SortFunc(chosen, func(a, b Chosen) int {
		return cmp.Or(cmp.Compare(a.Command.Partition, b.Command.Partition), cmp.Compare(a.Command.Offset, b.Command.Offset))
	})
	return chosen, left
}

// last finds the round to go on from: the latest, if no round forbids it.
func (s *story) last(includeUnknown bool) (last sms.Position, why string) {
	first := true
	for at, v := range s.rows {
		if v.accepted {
			return at, LeftAccepted
		}
		if v.status == sms.Unknown && !includeUnknown {
			why = LeftUnknown
		}
		before := s.rows[last]
		if first || v.round > before.round || v.round == before.round && v.at.After(before.at) {
			last, first = at, false
		}
	}
	if why == "" && (!s.rows[last].fits || !Redrivable(s.rows[last].status, includeUnknown)) {
		why = LeftLater
	}
	return last, why
}

func (s *Selection) fits(r *sms.Result) bool {
	stem, _ := roundOf(r.CommandID)
	return slices.Contains(s.Statuses, r.Status) &&
		(len(s.Reasons) == 0 || slices.Contains(s.Reasons, r.Reason)) &&
		(len(s.IDs) == 0 || slices.Contains(s.IDs, r.CommandID) || slices.Contains(s.IDs, stem)) &&
		s.Span.holds(r.At)
}
