package torture

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestAsManyFaultsHappenAsWereAskedFor(t *testing.T) {
	t.Parallel()
	r := &run{Options: Options{For: time.Minute}}
	faults := r.schedule(7, rand.New(rand.NewPCG(1, 2)), nil)
	if len(faults) != 7 {
		t.Fatal(len(faults))
	}
	for i, f := range faults {
		if f.at < 6*time.Second || f.at > 54*time.Second || i > 0 && f.at < faults[i-1].at {
			t.Errorf("fault %d at %v", i, f.at)
		}
	}
}

func TestCommandsAreWhatTheHistorySaysOfThem(t *testing.T) {
	t.Parallel()
	r := &run{Options: Options{Commands: 1000, ProviderFaults: true}}
	rng := rand.New(rand.NewPCG(1, 2))
	kinds := map[string]int{}
	for n := range 1000 {
		c, body := r.compose(n, rng)
		var o order
		if err := json.Unmarshal(body, &o); err != nil {
			t.Fatal(err)
		}
		if o.ID != c.ID || len(o.To) != len(c.Numbers) || (o.OnUnknown == "resend") != c.Resend || (o.ExpiresAt != nil) == c.Expires.IsZero() {
			t.Fatalf("%s: %+v", body, c)
		}
		seen := map[string]bool{}
		for _, number := range c.Numbers {
			if seen[number] || !strings.HasPrefix(number, "1380000") || len(number) != 11 {
				t.Errorf("number %q", number)
			}
			seen[number] = true
		}
		switch {
		case c.ID == "":
			kinds["unusable"]++
		case len(c.Numbers) > maxRecipients:
			kinds["split"]++
		case c.Resend:
			kinds["resend"]++
		case !c.Expires.IsZero():
			kinds["expiring"]++
		case c.Key == "":
			kinds["keyless"]++
		}
	}
	for _, kind := range []string{"unusable", "split", "resend", "expiring", "keyless"} {
		if kinds[kind] == 0 {
			t.Errorf("no %s command", kind)
		}
	}
}
