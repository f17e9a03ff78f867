package connector

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// capped is a theatre whose connectors have caps, with a backlog.
func capped(t *testing.T, perMinute, perDay int) *theatre {
	t.Helper()
	th := &theatre{t: t, rng: rand.New(rand.NewPCG(1, 7)), actors: map[string]*actor{}, struck: &tally{at: map[string]int{}}, stateDir: t.TempDir()}
	th.calm.Store(true)
	th.change = func(cfg *Config) { cfg.CapPerMinute, cfg.CapPerDay = perMinute, perDay }
	th.raise()
	return th
}

// order produces commands of one recipient each, or of several.
func (th *theatre) order(n, recipients int, rest map[string]any, place func(*kgo.Record)) {
	th.t.Helper()
	for i := range n {
		to := make([]string, recipients)
		for r := range to {
			to[r] = fmt.Sprintf("1380000%04d", recipients*i+r)
		}
		v := map[string]any{"id": fmt.Sprint("c", i), "text": fmt.Sprint("text #c", i), "to": to}
		maps.Copy(v, rest)
		value, err := json.Marshal(v)
		if err != nil {
			th.t.Fatal(err)
		}
		record := &kgo.Record{Topic: testTopics.Commands, Value: value, Key: fmt.Append(nil, "k", i)}
		if place != nil {
			place(record)
		}
		if err := th.client.ProduceSync(th.t.Context(), record).FirstErr(); err != nil {
			th.t.Fatal(err)
		}
	}
}

// oneLane puts all commands behind each other: into one partition.
func oneLane(r *kgo.Record) { r.Key = []byte("k") }

// busiest is the largest number of recipients that the provider was shown in any
// minute, and all of them.
func (th *theatre) busiest() (most, all int) {
	th.mu.Lock()
	defer th.mu.Unlock()
	for i, last := range th.h.Submissions {
		sum := 0
		for _, s := range th.h.Submissions[:i+1] {
			if last.At.Sub(s.At) < time.Minute {
				sum += s.Count
			}
		}
		most, all = max(most, sum), all+last.Count
	}
	return most, all
}

// kill ends an actor as kill -9 does.
func (th *theatre) kill(name string) {
	th.actors[name].link.Cut()
	th.retire(name)
}

// retire ends an actor in order.
func (th *theatre) retire(name string) {
	th.actors[name].asked.Store(true)
	th.actors[name].stop()
}

func TestTheGroupKeepsItsCapWhoeverComesAndGoes(t *testing.T) {
	const perMinute, commands = 6, 18
	for name, c := range map[string]struct {
		connectors, recipients int
		place                  func(*kgo.Record)
		after                  time.Duration // from the start to what happens
		happens                func(*theatre)
	}{
		"one":                        {connectors: 1, recipients: 1},
		"one, in parts":              {connectors: 1, recipients: 3}, // of two and one
		"two":                        {connectors: 2, recipients: 1},
		"two, in parts":              {connectors: 2, recipients: 3},
		"two, one partition is busy": {connectors: 2, recipients: 1, place: oneLane},
		"a restart": {connectors: 1, recipients: 1, after: 40 * time.Second, happens: func(th *theatre) {
			th.retire("i0")
			th.enter("again", nil)
		}},
		"a kill": {connectors: 1, recipients: 1, after: 40 * time.Second, happens: func(th *theatre) {
			th.kill("i0")
			th.enter("heir", nil)
		}},
		"kills in the midst of it": {connectors: 2, recipients: 2, after: 5 * time.Second, happens: func(th *theatre) {
			for i := range 8 {
				th.kill(fmt.Sprint("i", i))
				th.enter(fmt.Sprint("i", i+2), nil)
				time.Sleep(11 * time.Second)
			}
		}},
		"another comes": {connectors: 1, recipients: 1, after: 61 * time.Second, happens: func(th *theatre) { th.enter("i1", nil) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				th := capped(t, perMinute, 0)
				th.order(commands, c.recipients, nil, c.place)
				for i := range c.connectors {
					th.enter(fmt.Sprint("i", i), nil)
				}
				time.Sleep(30 * time.Second)
				if _, sent := th.busiest(); sent <= perMinute/2 {
					t.Errorf("%d went in half a minute, the cap is %d", sent, perMinute)
				}
				if time.Sleep(c.after); c.happens != nil {
					c.happens(th)
				}
				time.Sleep(time.Duration(commands*c.recipients/perMinute+4) * 62 * time.Second)
				th.leave()
				most, all := th.busiest()
				if most > perMinute {
					t.Errorf("%d recipients in one minute, the cap is %d", most, perMinute)
				}
				if all != commands*c.recipients {
					t.Errorf("%d recipients went, want %d", all, commands*c.recipients)
				}
			})
		})
	}
}

func TestADaysCapIsRememberedThroughARestartAndTheStateIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := capped(t, 0, 5)
		th.order(10, 1, map[string]any{"expires_at": time.Now().Add(8 * time.Minute).UTC().Format(time.RFC3339)}, nil)
		th.enter("first", nil)
		time.Sleep(3 * time.Minute)
		th.retire("first")
		time.Sleep(time.Minute)
		th.enter("second", nil)
		time.Sleep(6 * time.Minute)
		th.leave()
		if _, all := th.busiest(); all != 5 {
			t.Errorf("%d recipients went, the cap is 5", all)
		}
		th.read()
		outcomes := map[string]int{}
		for _, r := range th.h.Results {
			outcomes[r.Status+" "+r.Reason]++
		}
		if len(outcomes) != 2 || outcomes["accepted "] != 5 || outcomes["expired cap_reached"] != 5 {
			t.Errorf("outcomes %v", outcomes)
		}
		var told []string
		for _, r := range th.records(testTopics.Account) {
			e := decodeEvent(t, r)
			if state := e.Instance + " " + e.Line + " " + e.Reason; !slices.Contains(told, state) {
				told = append(told, state)
			}
		}
		want := []string{"first open ", "first held cap_reached", "second open ", "second held cap_reached"}
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}
