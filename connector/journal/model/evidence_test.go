package model

// show lets a correlator write evidence of a submit that was accepted and whose
// answer nobody read yet, or ever. It may come at any time, also long before the
// owner has decided anything, and more than once.
func (w *world) show(d *draw) {
	if len(w.posts) == 0 {
		return
	}
	po := &w.posts[len(w.posts)-1-d.n(min(len(w.posts), 6))]
	if !po.executed || po.outcome != accepted || (po.shown && !d.one(4)) {
		return
	}
	po.shown = true
	r := record{kind: evidence, owner: -1, off: po.off, id: w.commands[po.p][po.off].id, part: po.part, split: po.split, intent: -1, outcome: accepted}
	if w.rules.EvidenceByNonOwner {
		w.tell(po.p, r)
		return
	}
	w.log[po.p] = append(w.log[po.p], r)
	w.fenced[po.p] = append(w.fenced[po.p], false)
	w.say("evidence of partition %d offset %d part %d at position %d", po.p, po.off, po.part, len(w.log[po.p])-1)
}

// tell is the mistake of a correlator that revises the result itself.
func (w *world) tell(p int, r record) {
	if last := w.lastResult(p, r.off); last != nil && last.split == r.split && last.outs[r.part] == unknown {
		res := *last
		res.rev++
		res.outs[r.part] = accepted
		w.checkResult(-1, res)
	}
}

// believe: evidence stands for the answer to one attempt in doubt. It overrides
// no answer, and says nothing where nothing is in doubt.
func (w *world) believe(v *view, r *record) {
	part := r.part
	if w.rules.EvidenceForAnyPart {
		for part = range v.doubts {
			if v.doubts[part] > 0 {
				break
			}
		}
	}
	if v.outs[part] == unknown && v.split == r.split {
		v.outs[part] = accepted
	}
}
