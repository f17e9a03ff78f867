package model

// stage is how far a command has come in one session.
type stage uint8

const (
	idle       stage = iota // not yet judged
	ready                   // the next part is to be decided
	waitFence               // mistake FenceBeforeIntent: no intent before a commit succeeded
	writing                 // intent sent
	written                 // intent acked
	covered                 // intent fenced: the POST may be made
	posting                 // the POST is in the air
	noting                  // done of a part sent
	concluding              // final done sent
	concluded               // final done acked
	published               // result out
	halted                  // generation lost; only facts were written
)

type work struct {
	stage  stage
	split  int
	part   int
	intent int
	post   int
	outs   [maxParts]outcome // of parts behind us
	doubts [maxParts]int     // attempts that may have been carried out
	nos    [maxParts]int     // attempts that were answered: rejected
	final  int               // position of the final done
	rev    int
	fence  bool // the result waits for a fence over its done
}

type message struct {
	rec   record
	pos   int
	acked bool
}

// ledger is one partition in one session.
type ledger struct {
	owned    bool
	took     int // steps of the take-over done
	read     committed
	end      int // take-over replayed up to here
	from     int // take-over replayed records other than done from here
	waiting  int // releases of the take-over that are not acked
	works    [maxCommands]work
	fetched  int // next offset to judge
	fenced   int
	acked    int
	covering int // the outstanding commit covers intents below, 0 none
	sentOff  int // watermark of the last commit
	tail     int
	revising int // a revision at tail: 0 none, 1 sent, 2 acked
	revised  [maxParts]outcome
	revision int
	queue    []message
	sent     int
	answered int   // acks delivered
	ours     bool  // the take-over's own commit succeeded
	toFree   []int // open intents of others that were never fenced
	freed    bool
}

// session is one membership of one instance in one generation.
type session struct {
	inst, gen int
	alive     bool
	lost      bool // it knows that its generation has passed
	poisoned  bool // a commit of it has no answer
	commit    int  // outstanding, -1 none
	parts     [maxPartitions]ledger
}

// runs: its process is there and not frozen.
func (w *world) runs(n int) bool {
	s := &w.sessions[n]
	return s.alive && !w.instances[s.inst].frozen
}

func (s *session) begin(inst, gen int) {
	s.inst, s.gen, s.alive, s.lost, s.poisoned, s.commit = inst, gen, true, false, false, -1
	for p := range s.parts {
		s.parts[p] = ledger{queue: s.parts[p].queue[:0], toFree: s.parts[p].toFree[:0]}
	}
}

// takeOver goes one step: read offset and metadata, list the end, replay and
// release. The generation was joined before.
func (w *world) takeOver(n, p int) {
	s := &w.sessions[n]
	l := &s.parts[p]
	if !w.runs(n) || s.lost || !l.owned || l.took > 2 {
		return
	}
	switch l.took {
	case 0:
		l.read = w.store[p]
		if w.rules.ReplayBeforeJoin {
			l.read = w.instances[s.inst].prep[p]
		}
	case 1:
		l.end = len(w.log[p])
		if w.rules.ReplayBeforeJoin || w.rules.EndBeforeJoin {
			l.end = w.instances[s.inst].prepEnd[p]
		}
	case 2:
		w.replay(n, p)
	}
	l.took++
}

func (w *world) replay(n, p int) {
	l := &w.sessions[n].parts[p]
	m := l.read.meta
	if m.ok {
		l.from = min(m.replay, w.instances[w.sessions[n].inst].storePos[p])
		if w.rules.ReplayFromFence {
			l.from = m.fenced
		}
		l.tail = m.tail
	}
	l.fetched, l.sentOff = l.read.off, l.read.off
	l.fenced, l.acked = l.end, l.end
	w.instances[w.sessions[n].inst].storePos[p] = l.end
	w.say("session %d takes over partition %d: offset %d, metadata %v, replays %d to %d", n, p, l.read.off, m.ok, l.from, l.end)
	for i := l.from; i < l.end && !w.rules.NoOwnerReleases; i++ {
		if w.log[p][i].kind == intent && w.isOpen(n, p, i, l.end) && !w.mayBeFenced(n, p, i) {
			l.toFree = append(l.toFree, i)
		}
	}
	if w.rules.ReleaseUnconfirmed {
		w.free(n, p)
	}
}

// free releases what older owners left unsent. It comes after a commit that
// changed nothing but succeeded: a zombie that takes over late could see the
// intents of its successor, and would call them unsent.
func (w *world) free(n, p int) {
	l := &w.sessions[n].parts[p]
	l.freed = true
	for _, i := range l.toFree {
		r := w.log[p][i]
		w.write(n, p, record{kind: released, off: r.off, id: r.id, part: r.part, attempt: r.attempt, intent: i})
		l.waiting++
	}
}

func (l *ledger) open() bool { return l.owned && l.took > 2 }

// isOpen says that nothing which this session can see closes the intent at i.
func (w *world) isOpen(n, p, i, end int) bool {
	l := &w.sessions[n].parts[p]
	it := &w.log[p][i]
	for j := range end {
		r := &w.log[p][j]
		if !l.sees(r, j) {
			continue
		}
		if w.rules.ReleasedByAttempt && r.kind == released {
			if r.off == it.off && r.part == it.part && r.attempt == it.attempt {
				return false
			}
			continue
		}
		if r.kind != intent && r.intent == i {
			return false
		}
	}
	return true
}

// sees: the local store holds every done below; the rest comes by replay.
func (l *ledger) sees(r *record, at int) bool {
	return at >= l.from || r.kind == done || r.kind == final || r.kind == evidence
}

// mayBeFenced judges an open intent found by the take-over.
func (w *world) mayBeFenced(n, p, i int) bool {
	m := w.sessions[n].parts[p].read.meta
	if w.rules.NoFence {
		return true
	}
	if !m.ok {
		return !w.rules.MissingMetaIsZero
	}
	if w.rules.FenceCoversOthers || w.log[p][i].owner == m.owner {
		return i < m.fenced
	}
	return i < m.base
}

func (w *world) write(n, p int, r record) {
	s := &w.sessions[n]
	l := &s.parts[p]
	r.owner = n
	m := message{rec: r, pos: -1}
	if w.rules.AcksNone {
		m.pos = len(w.log[p]) + len(l.queue) - l.sent
	}
	l.queue = append(l.queue, m)
}

// ack delivers the oldest answer to a session's sends.
func (w *world) ack(n, p int) {
	s := &w.sessions[n]
	l := &s.parts[p]
	if !w.runs(n) || l.answered >= len(l.queue) || (l.answered >= l.sent && !w.rules.AcksNone) {
		return
	}
	m := l.queue[l.answered]
	l.answered++
	l.acked = max(l.acked, m.pos+1)
	k := &l.works[m.rec.off]
	switch m.rec.kind { //nolint:exhaustive // no session writes evidence
	case intent:
		k.intent = m.pos
		k.stage = written
		if w.rules.NoFence || w.rules.FenceBeforeIntent || w.rules.HeartbeatIsFence {
			k.stage = covered
		}
	case released:
		if l.waiting > 0 {
			l.waiting--
		}
	case done:
		if k.stage == noting {
			k.stage = ready
		}
	case final:
		if m.rec.rev > 1 {
			l.revising = 2
		} else if k.stage == concluding {
			k.stage, k.final = concluded, m.pos
		}
	}
}

// issueCommit sends the one commit of a session: fences and watermarks of all
// its partitions. Partitions whose releases are not durable yet stay out.
func (w *world) issueCommit(n int) {
	s := &w.sessions[n]
	if !w.runs(n) || s.lost || s.commit >= 0 || (s.poisoned && !w.rules.NoRejoinAfterUnknown && !w.rules.UnknownFenceIsSuccess) {
		return
	}
	c := commit{sess: n, gen: s.gen}
	for p := range w.partitions {
		l := &s.parts[p]
		l.covering = 0
		if !l.open() || l.waiting > 0 {
			continue
		}
		if len(l.toFree) > 0 && !l.freed {
			c.has[p], c.val[p] = true, l.read
			continue
		}
		mark := w.watermark(n, p)
		if l.ours && mark == l.sentOff && l.acked == l.fenced && !w.wantsFence(l) {
			continue
		}
		if w.rules.HeartbeatIsFence && mark == l.sentOff {
			continue
		}
		l.covering = l.acked
		c.has[p] = true
		c.val[p] = committed{off: mark, meta: metadata{
			ok: true, owner: n, base: l.end, fenced: l.acked, replay: w.replayStart(n, p, mark), tail: l.tail,
		}}
	}
	if !c.has[0] && !c.has[1] {
		return
	}
	s.commit = len(w.commits)
	w.commits = append(w.commits, c)
}

func (w *world) wantsFence(l *ledger) bool {
	for i := range l.works {
		if l.works[i].stage == waitFence {
			return true
		}
	}
	return false
}

func (w *world) watermark(n, p int) int {
	l := &w.sessions[n].parts[p]
	mark := l.read.off
	for mark < l.fetched {
		st := l.works[mark].stage
		if st == concluded && w.rules.CommitBeforeResult {
			st = published
		}
		if st != published {
			break
		}
		mark++
	}
	return mark
}

func (w *world) replayStart(n, p, mark int) int {
	l := &w.sessions[n].parts[p]
	start := min(l.tail, l.acked)
	for i := l.from; i < min(l.acked, len(w.log[p])); i++ {
		if w.log[p][i].off >= mark {
			return min(start, i)
		}
	}
	return start
}

// answerCommit tells a session what came of its commit, or that nothing is known.
func (w *world) answerCommit(n int, timeout bool) {
	s := &w.sessions[n]
	if !w.runs(n) || s.commit < 0 {
		return
	}
	c := &w.commits[s.commit]
	if !c.settled && !timeout {
		return
	}
	s.commit = -1
	switch {
	case !timeout && !c.ok:
		w.say("session %d learns that its generation has passed", n)
		s.lost = true
		return
	case timeout && !w.rules.UnknownFenceIsSuccess:
		w.say("session %d gets no answer to its commit", n)
		s.poisoned = true
		return
	}
	for p := range w.partitions {
		l := &s.parts[p]
		if !c.has[p] {
			continue
		}
		if len(l.toFree) > 0 && !l.freed {
			w.free(n, p)
			continue
		}
		l.fenced, l.sentOff, l.ours = l.covering, c.val[p].off, true
		for i := range l.works {
			k := &l.works[i]
			if k.stage == waitFence {
				w.writeIntent(n, p, i)
			}
			if k.stage == written && k.intent < l.fenced {
				k.stage = covered
			}
		}
	}
}

// notice: the session hears of the rebalance by its heartbeat.
func (w *world) notice(n int) {
	if w.sessions[n].gen != w.gen {
		w.sessions[n].lost = true
	}
}

// grow adds a session, with the memory that an earlier schedule left there.
func (w *world) grow() {
	if n := len(w.sessions); n < cap(w.sessions) {
		w.sessions = w.sessions[:n+1]
		return
	}
	w.sessions = append(w.sessions, session{})
}
