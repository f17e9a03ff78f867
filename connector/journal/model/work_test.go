package model

import "slices"

// work takes one step of one command in one session.
func (w *world) work(n, p, off int, d *draw) {
	s := &w.sessions[n]
	l := &s.parts[p]
	if !w.runs(n) || !l.open() || (!l.ours && !w.rules.WorkBeforeCommit) {
		return
	}
	k := &l.works[off]
	if s.lost || (s.poisoned && !w.rules.NoRejoinAfterUnknown) {
		w.onlyFacts(n, p, off, d)
		return
	}
	switch k.stage { //nolint:exhaustive // in the other stages it waits for an ack or a commit
	case idle:
		if off == l.fetched {
			l.fetched++
			w.judge(n, p, off)
		}
	case ready:
		w.decide(n, p, off, d)
	case covered:
		if d.one(8) { // the permit ran out, or the line is held
			w.release(n, p, off)
			return
		}
		w.submit(n, p, off)
	case posting:
		w.answer(n, p, off, d)
	case concluded:
		if k.fence && k.final >= l.fenced && !w.rules.DecisionNotFenced {
			return
		}
		w.publish(n, p, off)
	}
}

// onlyFacts: the generation is lost or in question. An intent that was not
// submitted is released, an answer is written down, nothing else begins.
func (w *world) onlyFacts(n, p, off int, d *draw) {
	k := &w.sessions[n].parts[p].works[off]
	switch k.stage {
	case written, covered:
		w.release(n, p, off)
		k.stage = halted
	case posting:
		w.answer(n, p, off, d)
	case writing, noting, concluding: // an ack is still to come
	default:
		k.stage = halted
	}
}

func (w *world) judge(n, p, off int) {
	l := &w.sessions[n].parts[p]
	k := &l.works[off]
	k.split = w.instances[w.sessions[n].inst].split
	v := w.look(n, p, off, l.end)
	if v.tried && !w.rules.SplitAnew {
		k.split = v.split
	}
	k.outs, k.doubts, k.nos = v.outs, v.doubts, v.nos
	if v.final != nil && (v.holds(v.final) || w.rules.DecisionBeatsDoubt) {
		k.stage, k.outs, k.rev = concluded, v.final.outs, v.final.rev
		k.split = v.final.split
		k.final, k.fence = -1, false
		return
	}
	if !v.tried && !w.rules.NoDedupe && w.repeats(n, p, off) {
		for i := range k.outs {
			k.outs[i] = duplicate
		}
		w.conclude(n, p, off, -1, unsent)
		return
	}
	k.stage, k.part = ready, 0
}

// view is what a session can know of a command from the journal.
type view struct {
	begun  bool // a split exists
	tried  bool // it was or may have been submitted
	split  int
	outs   [maxParts]outcome
	doubts [maxParts]int
	nos    [maxParts]int
	final  *record
}

func (w *world) look(n, p, off, end int) view {
	var v view
	l := &w.sessions[n].parts[p]
	for i := range end {
		r := &w.log[p][i]
		if r.off != off || !l.sees(r, i) {
			continue
		}
		switch {
		case r.kind == intent && w.isOpen(n, p, i, end) && w.mayBeFenced(n, p, i):
			if w.rules.NoResendLimit && r.owner != l.read.meta.owner {
				continue
			}
			v.tried, v.split = true, r.split
			v.doubts[r.part]++
		case r.kind == done, r.kind == final && r.intent >= 0:
			v.tried, v.split = true, r.split
			v.note(r.part, r.outcome)
		}
	}
	for i := range v.outs {
		v.outs[i] = settle(v.outs[i], v.doubts[i], v.nos[i], w.rules.RejectedForgetsDoubt)
	}
	for i := range end {
		if r := &w.log[p][i]; r.off == off && r.kind == evidence && l.sees(r, i) {
			w.believe(&v, r)
		}
	}
	for i := range end {
		if r := &w.log[p][i]; r.off == off && r.kind == final && (v.final == nil || v.prefers(r)) {
			v.final = r
		}
	}
	return v
}

func (v *view) note(part int, o outcome) {
	switch o { //nolint:exhaustive // an attempt has no other outcome
	case accepted:
		v.outs[part] = accepted
	case rejected:
		v.nos[part]++
	case unknown:
		v.doubts[part]++
	}
}

// settle: a yes is a yes; a doubt outweighs a no, for the other attempt may
// have been accepted; without either nothing was sent.
func settle(o outcome, doubts, nos int, forget bool) outcome {
	switch {
	case o == accepted:
		return accepted
	case nos > 0 && (doubts == 0 || forget):
		return rejected
	case doubts > 0:
		return unknown
	}
	return unsent
}

// prefers the highest revision; among equals one that accounts for every
// submit, as a zombie's late "no" knows nothing of its successor's attempt; among
// these the one that knows less, as it may have been published and be in need of
// a revision; then that of the newest owner.
func (v *view) prefers(r *record) bool {
	if r.rev != v.final.rev {
		return r.rev > v.final.rev
	}
	if !v.holds(v.final) || !v.holds(r) {
		return !v.holds(v.final)
	}
	a, b := slices.Contains(v.final.outs[:], unknown), slices.Contains(r.outs[:], unknown)
	return b && !a || a == b && r.owner > v.final.owner
}

// holds: a final done stands unless the journal knows of a submit that it does
// not account for.
func (v *view) holds(r *record) bool {
	for i, o := range r.outs {
		if o != accepted && o != unknown && (v.outs[i] == accepted || v.outs[i] == unknown) {
			return false
		}
	}
	return true
}

// repeats: another offset with the same id was, may have been, or is being sent.
func (w *world) repeats(n, p, off int) bool {
	l := &w.sessions[n].parts[p]
	for o, c := range w.commands[p] {
		if o == off || c.id != w.commands[p][off].id {
			continue
		}
		if o >= l.read.off && o < l.fetched {
			k := &l.works[o]
			if k.stage < concluded || k.stage == halted || counts(k.outs) {
				return true
			}
			continue
		}
		v := w.look(n, p, o, l.end)
		if v.final != nil && v.holds(v.final) {
			if counts(v.final.outs) {
				return true
			}
			continue
		}
		if counts(v.outs) || (o < off && v.tried) {
			return true
		}
	}
	return false
}

func counts(outs [maxParts]outcome) bool {
	for _, o := range outs {
		if o == accepted || o == unknown {
			return true
		}
	}
	return false
}

// decide what to do with the next part.
func (w *world) decide(n, p, off int, d *draw) {
	k := &w.sessions[n].parts[p].works[off]
	cmd := w.commands[p][off]
	if k.part >= parts(cmd, k.split) {
		w.conclude(n, p, off, -1, unsent)
		return
	}
	again := cmd.resend && k.doubts[k.part]+k.nos[k.part] < 2
	if k.outs[k.part] == accepted || k.outs[k.part] == rejected || (k.outs[k.part] == unknown && !again) {
		k.part++
		return
	}
	if d.one(10) && !w.calm { // the validity ended; by another clock it may not have
		if k.outs[k.part] == unsent {
			w.conclude(n, p, off, -1, unsent)
			return
		}
		k.part++
		return
	}
	if w.rules.FenceBeforeIntent {
		k.stage = waitFence
		return
	}
	w.writeIntent(n, p, off)
}

func (w *world) writeIntent(n, p, off int) {
	k := &w.sessions[n].parts[p].works[off]
	w.write(n, p, record{
		kind: intent, off: off, id: w.commands[p][off].id, part: k.part, split: k.split, attempt: k.doubts[k.part], intent: -1,
	})
	k.stage = writing
}

func (w *world) release(n, p, off int) {
	k := &w.sessions[n].parts[p].works[off]
	w.write(n, p, record{
		kind: released, off: off, id: w.commands[p][off].id, part: k.part, split: k.split, attempt: k.doubts[k.part], intent: k.intent,
	})
	k.stage = ready
}

func (w *world) submit(n, p, off int) {
	k := &w.sessions[n].parts[p].works[off]
	k.post = len(w.posts)
	w.posts = append(w.posts, post{
		sess: n, p: p, off: off, part: k.part, split: k.split, intent: k.intent, flagged: k.doubts[k.part] > 0,
	})
	k.stage = posting
	w.say("session %d submits partition %d offset %d part %d", n, p, off, k.part)
}

// answer of the provider, a timeout, or the certainty that nothing was sent.
func (w *world) answer(n, p, off int, d *draw) {
	s := &w.sessions[n]
	k := &s.parts[p].works[off]
	po := &w.posts[k.post]
	timeout := d.one(12) && !w.calm
	if !po.executed && !po.dropped && !timeout {
		return
	}
	if po.dropped && (d.one(2) || (w.rules.ReleaseAfterPost && timeout)) {
		w.release(n, p, off) // the connection was refused: not sent, and so it may be tried again
		return
	}
	if w.rules.ReleaseAfterPost && timeout {
		w.release(n, p, off)
		return
	}
	got := po.outcome
	if timeout || po.dropped {
		got = unknown
	}
	cmd := w.commands[p][off]
	switch got {
	case accepted:
		k.outs[k.part] = accepted
	case rejected:
		k.nos[k.part]++
	default:
		k.doubts[k.part]++
	}
	k.outs[k.part] = settle(k.outs[k.part], k.doubts[k.part], k.nos[k.part], w.rules.RejectedForgetsDoubt)
	again := got == unknown && cmd.resend && k.doubts[k.part]+k.nos[k.part] < 2
	facts := s.lost || s.poisoned
	if k.part == parts(cmd, k.split)-1 && !again && !facts {
		w.conclude(n, p, off, k.intent, got)
		return
	}
	w.write(n, p, record{
		kind: done, off: off, id: cmd.id, part: k.part, split: k.split, attempt: k.doubts[k.part], intent: k.intent, outcome: got,
	})
	k.stage = noting
	if facts {
		k.stage = halted
	}
}

// conclude writes the final done; the last part's own done is the same record.
func (w *world) conclude(n, p, off, at int, o outcome) {
	k := &w.sessions[n].parts[p].works[off]
	k.rev, k.fence = 1, false
	for part := range parts(w.commands[p][off], k.split) {
		// A yes is a fact whoever publishes it. Anything else a later owner may
		// have decided otherwise, unless it must have seen this done.
		k.fence = k.fence || k.outs[part] != accepted
	}
	if w.rules.ResultWithoutDone {
		k.stage, k.fence = concluded, false
		return
	}
	w.write(n, p, record{
		kind: final, off: off, id: w.commands[p][off].id, part: k.part, split: k.split, attempt: k.doubts[min(k.part, maxParts-1)],
		intent: at, outcome: o, outs: k.outs, rev: 1,
	})
	k.stage = concluding
	if w.rules.ResultBeforeDone {
		w.publish(n, p, off)
	}
}

func (w *world) publish(n, p, off int) {
	k := &w.sessions[n].parts[p].works[off]
	k.stage = published
	w.say("session %d: result of partition %d offset %d: %v revision %d", n, p, off, k.outs, k.rev)
	w.checkResult(n, result{p: p, off: off, rev: k.rev, outs: k.outs, split: k.split})
}
