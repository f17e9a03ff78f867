package model

// checkSubmission looks at the newest submission: one for each command and
// part, two where the user asked for it and the second is flagged, none twice
// for one id.
func (w *world) checkSubmission() {
	last := w.subs[len(w.subs)-1]
	cmd := w.commands[last.p][last.off]
	same, yes := 0, 0
	for _, s := range w.subs {
		if s.p != last.p || s.recipient != last.recipient {
			continue
		}
		if s.off == last.off {
			same++
		} else if w.commands[s.p][s.off].id == cmd.id && s.outcome == accepted && last.outcome == accepted {
			yes++
		}
	}
	allowed := 1
	if cmd.resend {
		allowed = 2
	}
	switch {
	case same > allowed:
		w.fail("partition %d offset %d recipient %d was submitted %d times", last.p, last.off, last.recipient, same)
	case same == 2 && !w.anyFlag(last):
		w.fail("partition %d offset %d: second submission is not flagged", last.p, last.off)
	case yes > 0:
		w.fail("partition %d: id %d was sent at two offsets", last.p, cmd.id)
	}
	for _, r := range w.results {
		if r.p != last.p || r.off != last.off || last.outcome != accepted {
			continue
		}
		if o := r.outs[last.recipient/r.split]; o != accepted && o != unknown {
			w.fail("partition %d offset %d was told %v and is accepted", r.p, r.off, o)
		}
	}
}

// anyFlag: a zombie's first attempt may be carried out after the second one.
func (w *world) anyFlag(of submission) bool {
	for _, s := range w.subs {
		if s.p == of.p && s.off == of.off && s.recipient == of.recipient && s.flagged {
			return true
		}
	}
	return false
}

// checkResult: the result tells the truth and contradicts no earlier one.
func (w *world) checkResult(n int, res result) {
	w.say("session %d: result of partition %d offset %d: %v revision %d", n, res.p, res.off, res.outs, res.rev)
	for part := range parts(w.commands[res.p][res.off], res.split) {
		if res.outs[part] == unknown {
			w.checkDoubt(res, part)
		}
		w.checkTruth(res, part)
		for _, r := range w.results {
			if r.p != res.p || r.off != res.off || r.split != res.split {
				continue
			}
			a, b := r.outs[part], res.outs[part]
			if a != b && a != unknown && b != unknown {
				w.fail("partition %d offset %d was told %v and now %v", r.p, r.off, a, b)
			}
		}
	}
	w.results = append(w.results, res)
}

func (w *world) checkTruth(res result, part int) {
	first, last := recipients(w.commands[res.p][res.off], part, res.split)
	for rcpt := first; rcpt <= last; rcpt++ {
		yes := false
		for _, s := range w.subs {
			if s.p == res.p && s.off == res.off && s.recipient == rcpt && s.outcome == accepted {
				yes = true
			}
		}
		switch o := res.outs[part]; {
		case o == accepted && !yes:
			w.fail("partition %d offset %d is told accepted and is not", res.p, res.off)
		case o != accepted && o != unknown && yes:
			w.fail("partition %d offset %d is told %v and is accepted", res.p, res.off, o)
		}
	}
}

// checkDoubt: only an intent that was fenced can leave a doubt behind.
func (w *world) checkDoubt(res result, part int) {
	if w.metaLost {
		return
	}
	for i, r := range w.log[res.p] {
		if r.kind == intent && r.off == res.off && r.part == part && w.fenced[res.p][i] {
			return
		}
	}
	w.fail("partition %d offset %d is unknown, and no intent of it was ever fenced", res.p, res.off)
}

// checkCommit: the offset passes no command without a result and never goes back.
func (w *world) checkCommit(p int, c committed) {
	if c.off < w.store[p].off && !w.metaLost {
		w.fail("partition %d: committed offset goes back from %d to %d", p, w.store[p].off, c.off)
	}
	for off := range c.off {
		if w.lastResult(p, off) == nil {
			w.fail("partition %d: offset %d is committed and has no result", p, off)
		}
	}
}

// lastResult is what a consumer believes: the highest revision, among equals the latest.
func (w *world) lastResult(p, off int) *result {
	var best *result
	for i := range w.results {
		r := &w.results[i]
		if r.p == p && r.off == off && (best == nil || r.rev >= best.rev) {
			best = r
		}
	}
	return best
}

// checkEnd, when all faults are over: nothing is lost, and no outcome is told
// as unknown whose answer stands in the journal.
func (w *world) checkEnd() {
	for p := range w.partitions {
		if w.store[p].off != len(w.commands[p]) {
			w.fail("partition %d stands at %d of %d", p, w.store[p].off, len(w.commands[p]))
		}
		for off := range w.commands[p] {
			if w.lastResult(p, off) == nil {
				w.fail("partition %d offset %d has no result", p, off)
			}
		}
		for _, r := range w.log[p] {
			if r.kind != done && (r.kind != final || r.intent < 0) || r.outcome != accepted {
				continue
			}
			if res := w.lastResult(p, r.off); res != nil && res.split == r.split && res.outs[r.part] != accepted {
				w.fail("partition %d offset %d is told %v although its answer is known", p, r.off, res.outs[r.part])
			}
		}
	}
	for i := range w.posts {
		po := &w.posts[i]
		if res := w.lastResult(po.p, po.off); po.shown && res != nil && res.split == po.split && res.outs[po.part] != accepted {
			w.fail("partition %d offset %d is told %v although there is evidence", po.p, po.off, res.outs[po.part])
		}
	}
}
