package journal

import (
	"cmp"
	"slices"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/submit"
)

// story is what the journal says about one command that is not, or not simply,
// at its end.
type story struct {
	ref      Ref
	attempts []attempt // in the order of their intents
	finals   []verdictAt
	lost     bool // some of it may be missing
	evidence []Evidence
	revised  bool // a revision was asked for
}

// attempt is one intent and what came of it.
type attempt struct {
	at                int64 // position of the intent
	owner             uint64
	began             time.Time // of the intent in Kafka; zero where only its outcome is known
	part, first, last int
	number            int             // of the attempt, by its owner's count from 1; 0: not known
	freed             bool            // released: not sent
	again             bool            // the same record stands once more further on
	came              *sms.Submission // nil: nobody read an answer
}

// verdictAt is a final done.
type verdictAt struct {
	at       int64
	gen      int32
	status   sms.Status
	revision int
	sent     []int
}

func (s *story) add(r *record, at int64) {
	switch r.kind {
	case intent:
		if s.attempt(at) != nil {
			return // the store knew
		}
		s.supersede(r)
		s.attempts = append(s.attempts, attempt{at: at, owner: r.owner, began: r.at, part: r.part, first: r.first, last: r.last, number: r.attempt})
	case released:
		if a := s.attempt(r.names); a != nil {
			a.freed = true
		}
	case done, final:
		if r.names >= 0 {
			s.note(r)
		}
	case evidence:
		s.believe(r)
	case adopted, pardoned: // about no command
	}
	if r.kind == final && !s.tells(at) {
		s.finals = append(s.finals, verdictAt{at: at, gen: r.gen, status: r.status, revision: r.revision, sent: r.sent})
	}
}

// supersede finds the intent that an owner wrote before, and that now stands a
// second time: a broker that lost what it knew of the producer has a batch
// written anew under another producer id. An owner gives every permit of a part
// a number of its own and knows the last place alone, so the first is not
// another attempt: it is neither a doubt nor to be released.
func (s *story) supersede(r *record) {
	for i := range s.attempts {
		a := &s.attempts[i]
		if r.attempt > 0 && a.number == r.attempt && a.owner == r.owner && a.part == r.part && a.open() {
			a.again = true
		}
	}
}

// note takes up what came of an attempt, also of one whose intent stands below
// what was replayed.
func (s *story) note(r *record) {
	a := s.attempt(r.names)
	if a == nil {
		s.attempts = append(s.attempts, attempt{at: r.names, owner: r.owner, part: r.part, first: r.first, last: r.last})
		a = &s.attempts[len(s.attempts)-1]
	}
	came := r.came
	a.came = &came
}

func (s *story) attempt(at int64) *attempt {
	i := slices.IndexFunc(s.attempts, func(a attempt) bool { return a.at == at })
	if i < 0 {
		return nil
	}
	return &s.attempts[i]
}

// open reports whether the attempt may have been submitted and nobody knows
// what came of it.
func (a *attempt) open() bool { return a.came == nil && !a.void() }

// void reports whether nothing was submitted by the intent at this place.
func (a *attempt) void() bool { return a.freed || a.again && a.came == nil }

// told is what is known of one part.
type told struct {
	first, last int
	yes         *sms.Submission // accepted: nothing else counts
	inferred    bool            // yes is evidence, not an answer
	no          *sms.Submission // answered otherwise
	doubts      int             // attempts without an answer
	nos         int
	attempts    int
}

// sent reports whether the part was or may have been accepted.
func (t *told) sent() bool { return t.yes != nil || t.doubts > 0 }

// tried reports whether anything of the command may have been submitted. What
// was only intended binds nobody: not to its split, and not to its being first.
func (s *story) tried() bool {
	return slices.ContainsFunc(s.attempts, func(a attempt) bool { return !a.void() })
}

// began is when the first attempt did that may have been submitted.
func (s *story) began() time.Time {
	first := time.Now()
	for i := range s.attempts {
		if a := &s.attempts[i]; !a.void() && a.began.Before(first) {
			first = a.began
		}
	}
	return first
}

// parts adds up the attempts by part. Attempts that were released are left out.
func (s *story) parts() map[int]*told {
	parts := make(map[int]*told, 1)
	for i := range s.attempts {
		a := &s.attempts[i]
		if a.void() {
			continue
		}
		t := parts[a.part]
		if t == nil {
			t = &told{first: a.first, last: a.last}
			parts[a.part] = t
		}
		t.attempts++
		switch {
		case a.came == nil, a.came.Status == sms.Unknown:
			t.doubts++
		case a.came.Status == sms.Accepted, a.came.Status == sms.PartiallyAccepted:
			t.yes = a.came
		default:
			t.no = a.came
			t.nos++
		}
	}
	for i := range s.evidence {
		if t := parts[s.evidence[i].Part]; t != nil {
			t.infer(&s.evidence[i])
		}
	}
	return parts
}

// resolved reports whether every part has an answer. One whose only attempts
// were released has none: it was told as unknown and stays so.
func (s *story) resolved() bool {
	if s.lost {
		return false
	}
	parts := s.parts()
	for i := range s.attempts {
		t := parts[s.attempts[i].part]
		if t == nil || t.yes == nil && (t.doubts > 0 || t.no == nil) {
			return false
		}
	}
	return len(parts) > 0
}

// submissions are the outcomes of the parts that are known, and which of them
// are inferred.
func (s *story) submissions() (all []sms.Submission, inferred []int) {
	for number, t := range s.parts() {
		if p := t.asPart(); p.Done != nil {
			all = append(all, *p.Done)
		}
		if t.inferred {
			inferred = append(inferred, number)
		}
	}
	slices.SortFunc(all, func(a, b sms.Submission) int { return a.Part - b.Part })
	slices.Sort(inferred)
	return all, inferred
}

// best returns the final done that counts, nil if there is none or if none
// stands: the highest revision; among equals one that accounts for every submit,
// as a zombie's late "no" knows nothing of its successor's attempt; among these
// the one that weighs most; then that of the newest generation, which would not
// have decided anew about one that had been fenced, and so perhaps told.
func (s *story) best() *verdictAt {
	var best *verdictAt
	parts := s.parts()
	for i := range s.finals {
		v := &s.finals[i]
		if !v.accounts(parts) {
			continue
		}
		if best == nil || cmp.Or(
			cmp.Compare(v.revision, best.revision), cmp.Compare(weight(v.status), weight(best.status)), cmp.Compare(v.gen, best.gen),
		) > 0 {
			best = v
		}
	}
	return best
}

// tells reports whether the final done at a position is part of the story.
func (s *story) tells(at int64) bool {
	return slices.ContainsFunc(s.finals, func(v verdictAt) bool { return v.at == at })
}

// accounts reports whether the final done knows of every part that was or may
// have been accepted. One that does not was written by an owner that had been
// succeeded, or about whom its successor could not know; it is void.
func (v *verdictAt) accounts(parts map[int]*told) bool {
	if v.status == sms.Accepted {
		return true
	}
	for part, t := range parts {
		if t.sent() && !slices.Contains(v.sent, part) {
			return false
		}
	}
	return true
}

// history is what submit must know to go on.
func (s *story) history() submit.History {
	parts := s.parts()
	top := -1
	for part := range parts {
		top = max(top, part)
	}
	var h submit.History
	next := 0
	for n := 0; n <= top; n++ {
		t := parts[n]
		if t == nil { // it ended without a submit, or none of its recipients was allowed
			t = gap(parts, n, top, next)
		}
		h.Parts = append(h.Parts, t.asPart())
		next = t.last + 1
	}
	return h
}

// gap gives a part that was never submitted its share of what lies before the
// next one that was.
func gap(parts map[int]*told, n, top, next int) *told {
	for following := n + 1; following <= top; following++ {
		if t := parts[following]; t != nil {
			share := (t.first - next + following - n - 1) / (following - n)
			return &told{first: next, last: next + share - 1}
		}
	}
	return &told{first: next, last: next - 1}
}

// asPart: a yes is a yes; a doubt outweighs a no, because the other attempt may
// have been accepted, and the no counts among the attempts that were carried out.
func (t *told) asPart() submit.Part {
	p := submit.Part{First: t.first, Last: t.last, Attempts: t.attempts}
	switch {
	case t.yes != nil:
		yes := *t.yes
		yes.PossibleDuplicate = yes.PossibleDuplicate || t.doubts > 0 // the other attempt may have been carried out too
		p.Done = &yes
	case t.doubts > 0:
		p.Doubts = t.doubts + t.nos
	default:
		p.Done = t.no
	}
	return p
}
