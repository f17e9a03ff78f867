package model

// step does one thing that may happen now, chosen by a number of the tape. Most
// choices do nothing in most states; that costs less than asking what may be done.
func (w *world) step(number uint32) {
	d := draw(number)
	if len(w.sessions) == 0 {
		w.rebalance(&d)
		return
	}
	if d.n(32*w.rarely) == 0 {
		w.fault(&d)
		return
	}
	s, p := w.someSession(&d), d.n(w.partitions)
	switch k := d.n(64); {
	case k < 26:
		w.work(s, p, d.n(len(w.commands[p])), &d)
	case k < 30:
		w.takeOver(s, p)
	case k < 40:
		w.append(s, p, &d)
	case k < 46:
		w.ack(s, p)
	case k < 51:
		w.issueCommit(s)
	case k < 54:
		w.applyCommit(&d)
	case k < 58:
		w.answerCommit(s, d.one(10))
	case k < 61:
		w.execute(&d)
	case k < 62:
		w.show(&d)
	default:
		w.follow(s, p)
	}
}

func (w *world) fault(d *draw) {
	i := d.n(maxInstances)
	switch k := d.n(32); {
	case k < 10:
		w.rebalance(d)
	case k < 15:
		w.crash(i, d)
	case k < 20:
		w.start(i, d)
	case k < 24:
		w.freeze(i, true)
	case k < 26:
		w.freeze(i, false)
	case k < 28:
		w.notice(w.someSession(d))
	case k < 31:
		w.prepare(i)
	default:
		w.loseMetadata(d)
	}
}

// someSession prefers the last ones: they are the living owners and the zombies
// that still matter.
func (w *world) someSession(d *draw) int {
	n := len(w.sessions)
	if n > 4 && !d.one(4) {
		return n - 1 - d.n(4)
	}
	return d.n(n)
}

// rebalance begins a generation with some of the living instances. Those left
// out were expelled and do not know it; those taken in have a new session, and
// their old one, if it drains too slowly, is a zombie in the same process.
func (w *world) rebalance(d *draw) {
	var members [maxInstances]int
	n := 0
	for i := range w.instances {
		if w.instances[i].alive && !w.instances[i].frozen && !d.one(3) {
			members[n] = i
			n++
		}
	}
	if n == 0 {
		return
	}
	w.gen++
	first := len(w.sessions)
	for _, i := range members[:n] {
		w.instances[i].session = len(w.sessions)
		w.grow()
		w.sessions[len(w.sessions)-1].begin(i, w.gen)
	}
	for p := range w.partitions {
		s := first + d.n(n)
		w.sessions[s].parts[p].owned = true
		w.say("generation %d: instance %d owns partition %d as session %d", w.gen, w.sessions[s].inst, p, s)
	}
}

// crash ends a process. What it had handed to the network may still arrive:
// appends from its queues (a random beginning of each), commits, submits.
func (w *world) crash(i int, d *draw) {
	inst := &w.instances[i]
	if !inst.alive {
		return
	}
	inst.alive, inst.frozen, inst.session = false, false, -1
	w.say("instance %d crashes", i)
	for s := range w.sessions {
		ses := &w.sessions[s]
		if ses.inst != i || !ses.alive {
			continue
		}
		ses.alive = false
		for p := range w.partitions {
			l := &ses.parts[p]
			if waiting := len(l.queue) - l.sent; waiting > 0 {
				l.queue = l.queue[:l.sent+d.n(waiting+1)]
			}
		}
	}
}

func (w *world) freeze(i int, on bool) {
	if inst := &w.instances[i]; inst.alive && inst.frozen != on {
		inst.frozen = on
		w.say("instance %d frozen: %v", i, on)
	}
}

func (w *world) start(i int, d *draw) {
	inst := &w.instances[i]
	if inst.alive {
		return
	}
	inst.alive, inst.split = true, 1+d.n(2)
	if d.one(3) {
		inst.storePos = [maxPartitions]int{}
	}
	w.say("instance %d starts, splits by %d", i, inst.split)
}

// prepare is the mistake of looking before joining; the right protocol never
// uses what it saw.
func (w *world) prepare(i int) {
	for p := range w.partitions {
		w.instances[i].prepEnd[p] = len(w.log[p])
		w.instances[i].prep[p] = w.store[p]
	}
}

// append lets one record of a session's queue reach the log, also long after
// the process died.
func (w *world) append(s, p int, d *draw) {
	l := &w.sessions[s].parts[p]
	if l.sent >= len(l.queue) {
		return
	}
	m := &l.queue[l.sent]
	l.sent++
	if w.rules.AcksNone && !w.calm && d.one(4) {
		w.say("session %d partition %d: the broker loses %v", s, p, m.rec.kind)
		return
	}
	m.pos = len(w.log[p])
	w.log[p] = append(w.log[p], m.rec)
	w.fenced[p] = append(w.fenced[p], false)
	w.say("session %d partition %d: %v offset %d part %d names %d at position %d",
		s, p, m.rec.kind, m.rec.off, m.rec.part, m.rec.intent, m.pos)
}

// applyCommit lets some commit reach the coordinator. It counts only in its own
// generation, whether or not anybody still waits for the answer.
func (w *world) applyCommit(d *draw) {
	if len(w.commits) == 0 {
		return
	}
	n := min(len(w.commits), 6)
	w.settle(len(w.commits) - 1 - d.n(n))
}

func (w *world) settle(i int) {
	c := &w.commits[i]
	if c.settled {
		return
	}
	c.settled = true
	if c.gen != w.gen {
		w.say("coordinator refuses commit of session %d", c.sess)
		return
	}
	c.ok = true
	for p := range w.partitions {
		if !c.has[p] {
			continue
		}
		w.checkCommit(p, c.val[p])
		w.store[p] = c.val[p]
		w.say("coordinator: partition %d committed %d, fenced %d by session %d", p, c.val[p].off, c.val[p].meta.fenced, c.sess)
		for i := range min(c.val[p].meta.fenced, len(w.log[p])) {
			if w.log[p][i].owner == c.sess {
				w.fenced[p][i] = true
			}
		}
	}
}

// execute lets some submit reach the provider, or get lost on its way.
func (w *world) execute(d *draw) {
	if len(w.posts) == 0 {
		return
	}
	n := min(len(w.posts), 6)
	po := &w.posts[len(w.posts)-1-d.n(n)]
	if po.executed || po.dropped {
		return
	}
	if d.one(5) {
		po.dropped = true
		w.say("submit of session %d for offset %d is lost", po.sess, po.off)
		return
	}
	w.carryOut(po, d.one(6))
}

func (w *world) carryOut(po *post, no bool) {
	po.executed, po.outcome = true, accepted
	if no {
		po.outcome = rejected
	}
	w.say("provider: partition %d offset %d part %d by session %d: %v", po.p, po.off, po.part, po.sess, po.outcome)
	first, last := recipients(w.commands[po.p][po.off], po.part, po.split)
	for r := first; r <= last; r++ {
		w.subs = append(w.subs, submission{p: po.p, off: po.off, recipient: r, outcome: po.outcome, flagged: po.flagged})
		w.checkSubmission()
	}
}

// loseMetadata is an operator's reset, an expired group, or a commit by a tool.
func (w *world) loseMetadata(d *draw) {
	if w.metaLost || !d.one(4) {
		return
	}
	w.metaLost = true
	p := d.n(w.partitions)
	w.store[p].meta = metadata{}
	if d.one(2) {
		w.store[p].off = 0
	}
	w.say("metadata of partition %d is lost, offset now %d", p, w.store[p].off)
}

// recipients of a part: indexes, inclusive.
func recipients(c command, part, split int) (first, last int) {
	return part * split, min((part+1)*split, c.recipients) - 1
}

func parts(c command, split int) int { return (c.recipients + split - 1) / split }
