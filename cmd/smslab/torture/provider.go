package torture

import (
	"context"
	"math/rand/v2"
	"net/url"
	"time"

	"smsbridge/cmd/smslab/lab"
	"smsbridge/cmd/smslab/trial"
)

// peace ends the provider's faults.
var peace = map[string]any{
	"drop": 0, "reset": 0, "cut": 0, "error": 0, "html": 0, "system": 0, "redirect": 0,
	"throttle": 0, "busy": 0, "hang": 0, "stale": 0, "code": "", "storm": "0s", "throttle_numbers": "",
}

// providerFaults are small ones all the time, bursts of 429, an account that is
// refused for a while, twice, and reports that come all at once.
func (r *run) providerFaults() []fault {
	say := func(change map[string]any) func(context.Context, *lab.Connector) error {
		return func(ctx context.Context, _ *lab.Connector) error { return r.stage.Provider.Faults(ctx, change) }
	}
	at := func(percent int) time.Duration { return r.For * time.Duration(percent) / 100 }
	const hold = 5 * time.Second
	refuse := func(code string) func(context.Context, *lab.Connector) error {
		return func(ctx context.Context, _ *lab.Connector) error {
			now := time.Now()
			r.recorder.Note(trial.Event{Kind: trial.AccountHold, At: now, Until: now.Add(hold)})
			return r.stage.Provider.Faults(ctx, map[string]any{"code": code, "code_text": "account refused", "code_for": hold.String()})
		}
	}
	burst := func(what string, change map[string]any, percent int) func(context.Context, *lab.Connector) error {
		return func(ctx context.Context, _ *lab.Connector) error {
			now := time.Now()
			r.recorder.Note(trial.Event{Kind: trial.Throttle, At: now, Until: now.Add(r.For * time.Duration(percent) / 100), Detail: what})
			return r.stage.Provider.Faults(ctx, change)
		}
	}
	return []fault{
		{at(2), say(map[string]any{
			"drop": 0.02, "reset": 0.01, "cut": 0.005, "error": 0.01, "html": 0.002, "system": 0.005, "stale": 0.01,
			"redirect": 0.001, "hang": 0.0005, "hang_for": "20s", "throttle": 0.01,
		})},
		{at(15), say(map[string]any{"storm": "10s"})},
		{at(25), burst("throttle", map[string]any{"throttle": 0.5}, 5)},
		{at(30), say(map[string]any{"throttle": 0.01})},
		{at(45), refuse("12")},
		{at(50), say(map[string]any{"storm": "0s"})},
		{at(60), burst("busy", map[string]any{"busy": 0.3, "retry_after": 1}, 4)},
		{at(64), say(map[string]any{"busy": 0})},
		{at(75), refuse("13")},
	}
}

// forge pushes reports with a wrong password until ctx ends. That none of them
// goes anywhere is the checker's to see.
func (r *run) forge(ctx context.Context, rng *rand.Rand) {
	for lab.Pause(ctx, 500*time.Millisecond) == nil {
		c := r.stage.Connectors[rng.IntN(len(r.stage.Connectors))]
		//nolint:errcheck // it may be down just now
		c.Forge(ctx, "report", lab.PushForm(false, url.Values{
			"sendid": {"20990101000000000000000000"}, "time": {"2099-01-01 00:00:00"}, "mobile": {"13900009999"}, "state": {"DELIVRD"},
		}))
	}
}
