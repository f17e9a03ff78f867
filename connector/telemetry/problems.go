package telemetry

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	mostProblems  = 12  // different ones
	mostOfProblem = 240 // bytes of one
)

// Problem is what the log warned of.
type Problem struct {
	At    Time   `json:"at"` // the last time
	Level string `json:"level"`
	Text  string `json:"text"`
	Times int    `json:"times"`
}

// Problems remembers the latest warnings and errors of a log, for those who see
// the status page before they find the log. The nil one remembers none.
type Problems struct {
	mu   sync.Mutex
	list []Problem // latest last
}

// Over returns a log that writes what log writes and is remembered.
func (p *Problems) Over(log *slog.Logger) *slog.Logger { return slog.New(&watched{log.Handler(), p}) }

// Latest returns the problems, latest first.
func (p *Problems) Latest() []Problem {
	if p == nil {
		return []Problem{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	list := append([]Problem{}, p.list...)
	slices.Reverse(list)
	return list
}

func (p *Problems) add(problem Problem) {
	p.mu.Lock()
	defer p.mu.Unlock()
	same := func(o Problem) bool { return o.Level == problem.Level && o.Text == problem.Text }
	if i := slices.IndexFunc(p.list, same); i >= 0 {
		problem.Times += p.list[i].Times
		p.list = slices.Delete(p.list, i, i+1)
	}
	if len(p.list) == mostProblems {
		p.list = slices.Delete(p.list, 0, 1)
	}
	p.list = append(p.list, problem)
}

// watched passes a log on to Problems.
type watched struct {
	slog.Handler
	problems *Problems
}

func (w *watched) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn || w.Handler.Enabled(ctx, level)
}

func (w *watched) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		w.problems.add(Problem{At: Time(r.Time), Level: strings.ToLower(r.Level.String()), Text: describeRecord(r), Times: 1})
	}
	if !w.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return w.Handler.Handle(ctx, r)
}

func (w *watched) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &watched{w.Handler.WithAttrs(attrs), w.problems}
}

func (w *watched) WithGroup(name string) slog.Handler {
	return &watched{w.Handler.WithGroup(name), w.problems}
}

// describeRecord leaves out what names one command: the page shows the state of
// the bridge, and an id may be whatever its producer chose.
func describeRecord(r slog.Record) string {
	var text strings.Builder
	text.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "error", "reason", "partition", "topic":
			text.WriteString("; " + a.Key + " " + a.Value.String())
		}
		return true
	})
	if text.Len() <= mostOfProblem {
		return text.String()
	}
	return strings.ToValidUTF8(text.String()[:mostOfProblem], "") + "…"
}

var _ slog.Handler = (*watched)(nil)

// took says a number of milliseconds, as coarse as people want it.
func took(ms int64) string {
	switch d := time.Duration(ms) * time.Millisecond; {
	case d < time.Millisecond:
		return "under 1ms"
	case d < time.Second:
		return d.String()
	case d < time.Minute:
		return d.Truncate(100 * time.Millisecond).String()
	default:
		return d.Truncate(time.Second).String()
	}
}

// since says how long ago something was, as people say it at night.
func since(t, now Time) string {
	if time.Time(t).IsZero() {
		return ""
	}
	d := max(0, time.Time(now).Sub(time.Time(t)))
	switch {
	case d < 2*time.Minute:
		return d.Truncate(time.Second).String()
	case d < 2*time.Hour:
		return strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s")
	default:
		return strings.TrimSuffix(d.Truncate(time.Hour).String(), "0m0s")
	}
}
