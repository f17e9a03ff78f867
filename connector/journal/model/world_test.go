package model

import "fmt"

const (
	maxPartitions = 2
	maxCommands   = 4
	maxParts      = 2
	maxInstances  = 3
)

// rules are the protocol's own when all false. Each one set true is a mistake
// that the model must find.
type rules struct {
	NoFence               bool // POST as soon as the intent is acked; every open intent is in doubt
	FenceBeforeIntent     bool // the commit succeeds first, then the intent is written, then the POST
	HeartbeatIsFence      bool // the fence always succeeds and stores nothing
	UnknownFenceIsSuccess bool // a commit without an answer counts as done
	NoRejoinAfterUnknown  bool // a commit without an answer is followed by another one of the same generation
	MissingMetaIsZero     bool // no metadata is read as "nothing was fenced"
	ReleasedByAttempt     bool // released names offset, part and attempt instead of a journal position
	ResultWithoutDone     bool // the final done is left out
	ResultBeforeDone      bool // the final done follows the result
	CommitBeforeResult    bool // the watermark moves when the done is durable
	DecisionNotFenced     bool // an unsent outcome is published when its done is acked, without a fence
	DecisionBeatsDoubt    bool // a final unsent done hides another owner's open fenced intent
	EndBeforeJoin         bool // the journal's end is listed before joining
	ReplayBeforeJoin      bool // offset, metadata and journal are read before joining
	AcksNone              bool // a record counts as durable when it is sent
	NoDedupe              bool // repeated ids are not looked for
	ReplayFromFence       bool // replay starts at the fenced position
	RejectedForgetsDoubt  bool // resend: "rejected" after an attempt in doubt
	NoResendLimit         bool // resend: only the own process's attempts are counted
	NoOwnerReleases       bool // the new owner does not release what is known unsent
	FenceCoversOthers     bool // a fenced position is taken to cover other owners' late intents
	LateDoneIgnored       bool // the owner does not follow its journal
	SplitAnew             bool // a split begun is cut again by the own configuration
	WorkBeforeCommit      bool // work begins before the take-over's own commit
	ReleaseUnconfirmed    bool // the new owner releases without asking whether it still is the owner
	EvidenceForAnyPart    bool // evidence counts for whichever part is in doubt
	EvidenceIgnored       bool // the owner does not follow evidence
	EvidenceByNonOwner    bool // whoever has evidence tells the revision itself
	ReleaseAfterPost      bool // an unanswered POST is released as if it had not been sent
}

type outcome uint8

const (
	unsent outcome = iota
	accepted
	rejected
	unknown
	duplicate
)

func (o outcome) String() string {
	return [...]string{"unsent", "accepted", "rejected", "unknown", "duplicate"}[o]
}

type command struct {
	id         int
	recipients int
	resend     bool
}

type kind uint8

const (
	intent   kind = iota + 1 // this part is about to be submitted
	released                 // the intent at this position was not and will never be sent
	done                     // what came of one attempt
	evidence                 // a part in doubt was accepted; no session wrote it
	final                    // what came of the command; may carry the last attempt's outcome too
)

func (k kind) String() string {
	return [...]string{"", "intent", "released", "done", "evidence", "final"}[k]
}

type record struct {
	kind    kind
	owner   int // session
	off, id int
	part    int
	split   int
	attempt int
	intent  int // position of the intent that it closes, -1 none
	outcome outcome
	outs    [maxParts]outcome // final: by part
	rev     int
}

// metadata travels with the committed offset.
type metadata struct {
	ok     bool
	owner  int // session that committed it
	base   int // the journal's end when it took over: its own intents stand at or above
	fenced int // its intents below are fenced
	replay int // no record of an open offset stands below
	tail   int // late answers below were dealt with
}

type committed struct {
	off  int
	meta metadata
}

type commit struct {
	sess    int
	gen     int
	has     [maxPartitions]bool
	val     [maxPartitions]committed
	settled bool // applied or refused
	ok      bool
}

type post struct {
	sess, p, off int
	part, split  int
	intent       int
	flagged      bool
	executed     bool
	dropped      bool
	shown        bool // there is evidence of it
	outcome      outcome
}

type instance struct {
	alive    bool
	frozen   bool // SIGSTOP: its messages on the way arrive, it does nothing
	split    int
	session  int // the current one, -1 none
	prepEnd  [maxPartitions]int
	prep     [maxPartitions]committed
	storePos [maxPartitions]int // the local store holds every done below
}

type submission struct {
	p, off, recipient int
	outcome           outcome
	flagged           bool
}

type result struct {
	p, off, rev int
	outs        [maxParts]outcome
	split       int
}

// world is everything, and one schedule of it.
type world struct {
	rules      rules
	partitions int
	commands   [maxPartitions][]command
	gen        int
	store      [maxPartitions]committed
	log        [maxPartitions][]record
	fenced     [maxPartitions][]bool // by position: the truth, whatever anyone believes
	commits    []commit
	posts      []post
	instances  [maxInstances]instance
	sessions   []session
	subs       []submission
	results    []result
	metaLost   bool
	calm       bool
	rarely     int // how seldom faults happen in this schedule
	failed     string
	trace      *[]string
}

func (w *world) say(format string, args ...any) {
	if w.trace != nil {
		*w.trace = append(*w.trace, fmt.Sprintf(format, args...))
	}
}

func (w *world) fail(format string, args ...any) {
	if w.failed == "" {
		w.failed = fmt.Sprintf(format, args...)
		w.say("BROKEN: %s", w.failed)
	}
}

// reset makes a new world from a seed; memory of the last one is used again.
func (w *world) reset(seed uint64, r rules) {
	w.rules = r
	w.gen = 0
	w.commits, w.posts, w.subs, w.results = w.commits[:0], w.posts[:0], w.subs[:0], w.results[:0]
	w.sessions = w.sessions[:0]
	w.metaLost, w.calm, w.failed = false, false, ""
	d := draw(mix(seed))
	w.partitions, w.rarely = 1+d.n(2), 1+d.n(6)
	for p := range maxPartitions {
		w.log[p], w.fenced[p] = w.log[p][:0], w.fenced[p][:0]
		w.store[p] = committed{}
		w.commands[p] = w.commands[p][:0]
		if p >= w.partitions {
			continue
		}
		for i := range 1 + d.n(maxCommands) {
			c := command{id: i, recipients: 1 + d.n(2), resend: d.n(3) == 0}
			if i > 0 && d.n(3) == 0 {
				c.id = w.commands[p][d.n(i)].id
			}
			w.commands[p] = append(w.commands[p], c)
		}
	}
	for i := range w.instances {
		w.instances[i] = instance{alive: true, split: 1 + d.n(2), session: -1}
	}
}

// draw takes small numbers from one big one.
type draw uint64

func (d *draw) n(n int) int {
	*d = draw(mix(uint64(*d)))
	return int(uint64(*d) >> 33 % uint64(n))
}

func (d *draw) one(in int) bool { return d.n(in) == 0 }

func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
