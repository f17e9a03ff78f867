package trail

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/journal"
	"smsbridge/connector/kafkaio"
)

// How a command stands, as the closing line says it.
const (
	standsDone    = "done"
	standsWaiting = "waiting"
	standsUnder   = "under_way"
	standsInDoubt = "in_doubt"
)

// tracked is what is known of one command, for saying how it stands.
type tracked struct {
	id     string
	cmd    *sms.Command // nil where its record is gone
	result *sms.Result
	ended  time.Time           // when the result was reached
	open   map[int64]time.Time // intents that nothing was said of, by their offset
	last   string              // what came of the last attempt
	final  bool                // the journal holds its end
}

// track finds what is known of the command at a position.
func (e *explainer) track(id string, at sms.Position) *tracked {
	t := e.tracked[at]
	if t == nil {
		t = &tracked{id: id, open: map[int64]time.Time{}}
		e.tracked[at] = t
	}
	return t
}

// tell notes a result: the highest revision counts, among equals the latest.
func (t *tracked) tell(r *sms.Result) {
	if t.result == nil || t.result.Revision <= r.Revision {
		t.result, t.ended = r, r.At
	}
}

// deliver notes a final report.
func (e *explainer) deliver(r *report) {
	if !r.Final || r.CommandID == "" {
		return
	}
	if e.delivered[r.CommandID] == nil {
		e.delivered[r.CommandID] = map[string]string{}
	}
	e.delivered[r.CommandID][cmp.Or(r.ToHash, r.To)] = r.Status // masked numbers may be alike
}

// note notes an entry of the journal.
func (t *tracked) note(entry *journal.Entry, rec *kafkaio.Record) {
	switch entry.Kind {
	case journal.IntentEntry:
		t.open[rec.Offset] = rec.Time
	case journal.ReleasedEntry:
		delete(t.open, entry.Intent)
		t.last = "its last attempt was given back at " + stamp(rec.Time) + " and is to be made again"
	case journal.FinalEntry:
		t.final = true
		clear(t.open)
	default: // an answer, which is told below, or no word about an attempt
	}
	if s := entry.Submission; s != nil {
		delete(t.open, entry.Intent)
		t.last = fmt.Sprintf("part %d was answered %s at %s", s.Part, strings.TrimSpace(string(s.Status)+" "+string(s.Reason)), stamp(rec.Time))
	}
}

// closing says in one event how things stand now.
func (e *explainer) closing(ctx context.Context) (Event, error) {
	progress := map[sms.Position]int64{} // of the waiting: how many stand before them
	alive := true
	if slices.ContainsFunc(slices.Collect(maps.Values(e.tracked)), func(t *tracked) bool { return t.result == nil && !t.final }) {
		if err := e.behind(ctx, progress, &alive); err != nil {
			return Event{}, err
		}
	}
	states := map[string]int{}
	var state, text string
	for at, t := range e.tracked {
		if t.result != nil && t.result.Status == sms.Duplicate && len(e.tracked) > 1 {
			continue // the first one says how its text stands
		}
		state, text = e.stands(t, alive, progress[at])
		states[state]++
	}
	switch {
	case len(states) == 0:
		state, text = standsDone, "only repeats of an id were found, and nothing of the first command"
		if len(e.tracked) == 0 {
			text = "neither record nor result of the command was found; what is told above is all that is left"
		}
	case len(states) > 1 || states[state] > 1:
		var list []string
		total := 0
		for _, name := range slices.Sorted(maps.Keys(states)) {
			list = append(list, fmt.Sprintf("%d %s", states[name], strings.ReplaceAll(name, "_", " ")))
			total += states[name]
		}
		state, text = "several", fmt.Sprintf("%d commands: %s; ask for one by its id to hear why", total, strings.Join(list, ", "))
	}
	event := Event{At: time.Now(), Kind: NowEvent, CommandID: e.query.ID, Facts: facts{"state": state, "text": text}}
	if !e.query.Show {
		event.mask()
	}
	return event, nil
}

// behind counts what stands before the commands that wait, and finds out
// whether any instance of the group runs.
func (e *explainer) behind(ctx context.Context, progress map[sms.Position]int64, alive *bool) error {
	var partitions []kafkaio.TopicPartition
	for at := range e.tracked {
		partitions = append(partitions, kafkaio.TopicPartition{Topic: at.Topic, Partition: at.Partition})
	}
	slices.SortFunc(partitions, func(a, b kafkaio.TopicPartition) int { return a.Partition - b.Partition })
	committed, err := e.Kafka.GroupOffsets(ctx, e.query.Group, slices.Compact(partitions))
	if err != nil {
		return err
	}
	for at := range e.tracked {
		done := committed[kafkaio.TopicPartition{Topic: at.Topic, Partition: at.Partition}].Offset
		progress[at] = max(0, at.Offset-max(0, done))
	}
	rest, err := e.Kafka.GroupAtRest(ctx, e.query.Group)
	*alive = !rest
	return err
}

// stands says how one command stands.
func (e *explainer) stands(t *tracked, alive bool, before int64) (state, text string) {
	switch {
	case t.result != nil:
		return e.ended(t.result)
	case t.final:
		return standsDone, "its end stands in the journal, and its result is about to be published"
	case t.cmd == nil:
		return standsDone, "its record is no longer on the command topic, and no result was found"
	}
	for _, since := range t.open {
		if time.Since(since) > settling || !alive {
			return standsInDoubt, "in doubt: a submit was about to be made at " + stamp(since) +
				", and no answer is known; the next owner of its partition tells it as unknown, or resends it where it asks for that"
		}
		return standsUnder, "under way: a submit is being made since " + stamp(since)
	}
	return standsWaiting, "waiting since " + stamp(t.cmd.At) + ": " + e.cause(t, alive, before)
}

// cause says what a command waits for.
func (e *explainer) cause(t *tracked, alive bool, before int64) string {
	list := []string{}
	for _, c := range e.cancels {
		if c.Fits(t.cmd) {
			list = append(list, c.why+" is about it, so it ends as cancelled")
			break
		}
	}
	if p, paused := e.paused[t.cmd.Class]; paused {
		list = append(list, p.why+"; it goes on by: "+p.remedy)
	}
	if !alive {
		list = append(list, "no instance of group "+e.query.Group+" runs")
	} else if e.line.why != "" {
		list = append(list, e.line.why)
	}
	if t.last != "" {
		list = append(list, t.last)
	}
	if before > 0 {
		list = append(list, fmt.Sprintf("up to %d records before it in its partition are not done", before))
	}
	if len(list) == 0 {
		list = append(list, "its turn comes next")
	}
	if end := t.cmd.ExpiresAt; !end.IsZero() && time.Now().After(end) {
		list = append(list, "its expires_at has passed, so it ends as expired")
	}
	return strings.Join(list, "; ")
}

// ended says how a command with a result stands.
func (e *explainer) ended(r *sms.Result) (state, text string) {
	text = string(r.Status)
	if r.Reason != "" {
		text += " (" + string(r.Reason) + ")"
	}
	text += " at " + stamp(r.At)
	if r.Status == sms.Unknown {
		return standsInDoubt, "in doubt: " + text + "; it may have been sent, and is not sent again by itself" + e.reported(r)
	}
	return standsDone, "done: " + text + e.reported(r)
}

// reported says what the delivery reports told so far.
func (e *explainer) reported(r *sms.Result) string {
	found := e.delivered[r.CommandID]
	if r.Accepted == 0 && len(found) == 0 {
		return ""
	}
	counts := map[string]int{}
	for _, status := range found {
		counts[status]++
	}
	var list []string
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, fmt.Sprintf("%s %d", status, counts[status]))
	}
	if waiting := r.Accepted - len(found); waiting > 0 {
		list = append(list, fmt.Sprintf("%d without a final report so far", waiting))
	}
	return "; recipients: " + strings.Join(list, ", ")
}
