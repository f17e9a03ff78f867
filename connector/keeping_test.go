package connector

import (
	"strings"
	"testing"
	"time"
)

func TestAJournalThatForgetsTooSoonIsTold(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		settings map[string]string
		want     string // empty: no fault
	}{
		"as we create it": {map[string]string{"cleanup.policy": "delete", "retention.ms": "7200000", "retention.bytes": "-1"}, ""},
		"for ever":        {map[string]string{"retention.ms": "-1"}, ""},
		"not seen":        {nil, ""},
		"too short":       {map[string]string{"retention.ms": "60000"}, "retention.ms=7200000"},
		"by size":         {map[string]string{"retention.bytes": "1000"}, "retention.bytes=-1"},
		"compacted":       {map[string]string{"cleanup.policy": "compact"}, "cleanup.policy=delete"},
		"unclean":         {map[string]string{"unclean.leader.election.enable": "true"}, "unclean.leader.election.enable=false"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults := JournalFaults("j", tc.settings, time.Hour)
			if len(faults) > 1 || (len(faults) == 1) != (tc.want != "") || len(faults) == 1 && !strings.HasSuffix(faults[0], tc.want) {
				t.Errorf("%q, want %q", faults, tc.want)
			}
		})
	}
}
