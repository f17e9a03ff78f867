package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"smsbridge/cmd/smslab/lab"
	"smsbridge/cmd/smslab/trial"
)

// order is the JSON of a command.
type order struct {
	ID        string            `json:"id"`
	To        []string          `json:"to"`
	Text      string            `json:"text"`
	Class     string            `json:"class,omitempty"`
	OnUnknown string            `json:"on_unknown,omitempty"`
	ExpiresAt *time.Time        `json:"expires_at,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`
}

// produce writes the commands evenly over the first nine tenths of the run.
func (r *run) produce(ctx context.Context, rng *rand.Rand) error {
	const tick = 10 * time.Millisecond
	length := r.For * 9 / 10
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var past []trial.Command // those that may be repeated
	for sent := 0; sent < r.Commands; {
		due := r.Commands
		if passed := time.Since(r.start); passed < length {
			due = int(float64(r.Commands) * float64(passed) / float64(length))
		}
		for ; sent < due; sent++ {
			if len(past) > 0 && rng.Float64() < r.Repeats {
				again := past[rng.IntN(len(past))]
				r.recorder.Send(ctx, again, value(again))
				continue
			}
			c, body := r.compose(sent, rng)
			r.recorder.Send(ctx, c, body)
			if c.Key != "" && c.ID != "" {
				past = append(past, c)
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// compose makes a command: nine in ten have a key, one in twenty several parts,
// some expire soon, some may be resent, some cannot be used.
func (r *run) compose(n int, rng *rand.Rand) (trial.Command, []byte) {
	c := trial.Command{ID: "c-" + strconv.Itoa(n)}
	classes := []string{"otp", "notice", "marketing"}
	c.Class = classes[rng.IntN(len(classes))]
	if rng.IntN(10) > 0 {
		key := rng.IntN(max(20, r.Commands/50))
		c.Key = fmt.Sprintf("key-%d", key)
		if key%10 > 0 { // what waits in a key holds the key: most have one class
			c.Class = classes[key%len(classes)]
		}
	}
	count := 1
	if rng.IntN(20) == 0 {
		count = 2 + rng.IntN(3*maxRecipients)
	}
	for i := range count {
		c.Numbers = append(c.Numbers, fmt.Sprintf("1380000%04d", (n+i)%10_000))
	}
	switch rng.IntN(50) {
	case 0:
		c.ID, c.Numbers = "", nil
		return c, []byte(`{"to":[],"text":"for nobody"}`)
	case 1:
		c.Expires = time.Now().Add(time.Duration(1+rng.IntN(20)) * time.Second).Truncate(time.Millisecond)
	case 2:
		c.Resend = r.ProviderFaults
	}
	return c, value(c)
}

func value(c trial.Command) []byte {
	says := "Your parcel has arrived."
	if c.Mark == trial.Forbidden {
		says = "Your parcel is " + forbidden + "."
	}
	o := order{
		ID: c.ID, To: c.Numbers, Text: lab.Text(says, c.ID), Class: c.Class, Metadata: map[string]string{"n": c.ID},
	}
	if c.Resend {
		o.OnUnknown = "resend"
	}
	if !c.Expires.IsZero() {
		o.ExpiresAt = &c.Expires
	}
	body, err := json.Marshal(o)
	if err != nil {
		panic(err) // strings and times can always be written
	}
	return body
}
