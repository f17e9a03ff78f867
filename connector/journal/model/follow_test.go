package model

// follow reads one more record of the own journal while owning the partition: a
// zombie's late answer resolves an unknown outcome, and only the owner says so.
func (w *world) follow(n, p int) {
	s := &w.sessions[n]
	l := &s.parts[p]
	if !w.runs(n) || s.lost || s.poisoned || !l.open() || l.tail >= len(w.log[p]) {
		return
	}
	r := w.log[p][l.tail]
	switch {
	case l.revising == 1: // its done is on its way
		return
	case l.revising == 2:
		w.checkResult(n, result{p: p, off: r.off, rev: l.revision, outs: l.revised, split: r.split})
		l.revising = 0
	case w.rules.LateDoneIgnored && r.kind != evidence, w.rules.EvidenceIgnored && r.kind == evidence, !answers(r):
	case r.off >= l.read.off && (r.off >= l.fetched || l.works[r.off].stage < concluded):
		return // not decided here yet
	default:
		if w.revise(n, p, r.off) {
			l.revising = 1
			return
		}
	}
	l.tail++
	if m := &w.instances[s.inst].storePos[p]; l.tail == *m+1 {
		*m = l.tail
	}
}

func answers(r record) bool {
	return r.kind == evidence || (r.kind == done || r.kind == final && r.intent >= 0) && (r.outcome == accepted || r.outcome == rejected)
}

func (w *world) revise(n, p, off int) bool {
	l := &w.sessions[n].parts[p]
	v := w.look(n, p, off, len(w.log[p]))
	if v.final == nil {
		return false
	}
	outs, better := v.final.outs, false
	for i, o := range outs {
		if o == unknown && (v.outs[i] == accepted || v.outs[i] == rejected) {
			outs[i], better = v.outs[i], true
		}
	}
	if !better && v.final.rev == 1 {
		return false
	}
	l.revised, l.revision = outs, v.final.rev
	if better {
		l.revision++
	}
	w.write(n, p, record{
		kind: final, off: off, id: v.final.id, part: v.final.part, split: v.final.split, intent: -1, outs: outs, rev: l.revision,
	})
	return true
}
