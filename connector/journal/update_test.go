package journal

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
)

// olderSource is the journal in the eyes of a program that knows the formats up
// to one.
type olderSource struct {
	Source
	knows byte
}

func (s olderSource) Next(ctx context.Context) ([]kafkaio.Record, error) {
	records, err := s.Source.Next(ctx)
	for i := range records {
		if v := slices.Clone(records[i].Value); v[0] > s.knows {
			v[0] = format + 1
			records[i].Value = v
		}
	}
	return records, err
}

// TestAnUpdateThatIsTakenBackLosesNothing: the older program works on until the
// newer one wrote what it cannot know, halts, and the newer one goes on.
func TestAnUpdateThatIsTakenBackLosesNothing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		knows byte // the older program
		use   func(*testing.T, *cluster)
	}{
		"evidence": {formatOfDecisions, func(t *testing.T, c *cluster) {
			t.Helper()
			show(t, c, command(1), 0, "x")
		}},
		"an operator's decision": {formatOfOthers, func(t *testing.T, c *cluster) {
			t.Helper()
			if err := operator(t, c, "smsbridge").Adopt(t.Context(), 0, "elsewhere", -1); err != nil {
				t.Fatal(err)
			}
			show(t, c, command(1), 0, "x")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, fs := newCluster(), vfs.NewMem()
				// run lets a program own the partition, with the store of the one before.
				run := func(knows byte, work func(*process, *Ledger)) {
					s := memStore(t, fs)
					p := c.process(t, func(cfg *Config) {
						withStore(s, "here")(cfg)
						fetch := cfg.Fetch
						cfg.Fetch = func(f kafkaio.FetchConfig) Source { return olderSource{fetch(f), knows} }
					})
					l := p.mustJoin(0)
					work(p, l)
					_ = p.tenure.Close(p.ctx)
					p.die()
					_ = s.Close()
				}
				send := func(p *process, l *Ledger, offset int64, provider answer) {
					t.Helper()
					if err := p.work(l, command(offset), sms.ReportUnknown, provider); err != nil {
						t.Fatal(err)
					}
				}
				run(format, func(p *process, l *Ledger) {
					send(p, l, 0, always)
					send(p, l, 1, lost)
				})
				run(tc.knows, func(p *process, l *Ledger) {
					send(p, l, 2, always) // nothing of what is new was used
					tc.use(t, c)
					time.Sleep(session) // it hears it, and does not know what it is
					send(p, l, 3, always)
				})
				run(tc.knows, func(_ *process, l *Ledger) {
					var halt *Halt
					if !errors.As(l.Halted(), &halt) || halt.Reason != HaltFormat {
						t.Errorf("the older one is halted by %v", l.Halted())
					}
				})
				run(format, func(p *process, l *Ledger) {
					if err := l.Halted(); err != nil {
						t.Fatal(err)
					}
					send(p, l, 4, always)
					for offset := range int64(5) {
						repeat := command(10 + offset)
						repeat.ID = command(offset).ID
						if v := l.Judge(repeat); v.Kind != Repeat {
							t.Errorf("repeat of %d: %+v", offset, v)
						}
					}
					if r := next(t, p); r == nil || r.Ref != command(1) || r.Parts[0].ProviderMessageID != "x" {
						t.Errorf("the evidence is lost: revision %+v", r)
					}
				})
				if len(c.posts) != 5 {
					t.Errorf("posts %+v", c.posts)
				}
			})
		})
	}
}
