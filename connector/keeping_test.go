package connector

import (
	"strings"
	"testing"
	"time"
)

func TestATopicThatForgetsTooSoonOrLosesIsTold(t *testing.T) {
	t.Parallel()
	topics := map[string]*Topic{}
	for _, topic := range testTopics.List(Kept{DedupeWindow: time.Hour, Validity: 10 * time.Minute}) {
		topics[topic.Name] = &topic
	}
	for name, tc := range map[string]struct {
		topic    string
		settings map[string]string
		want     string // empty: no fault
	}{
		"journal as we create it":  {testTopics.Journal, NewTopics{}.New(*topics[testTopics.Journal]).Config, ""},
		"journal for ever":         {testTopics.Journal, map[string]string{"retention.ms": "-1"}, ""},
		"journal not seen":         {testTopics.Journal, nil, ""},
		"journal too short":        {testTopics.Journal, map[string]string{"retention.ms": "60000"}, "retention.ms=7200000"},
		"journal by size":          {testTopics.Journal, map[string]string{"retention.bytes": "1000"}, "retention.bytes=-1"},
		"journal compacted":        {testTopics.Journal, map[string]string{"cleanup.policy": "compact"}, "cleanup.policy=delete"},
		"journal unclean":          {testTopics.Journal, map[string]string{"unclean.leader.election.enable": "true"}, "unclean.leader.election.enable=false"},
		"journal compressed":       {testTopics.Journal, map[string]string{"compression.type": "zstd"}, "compression.type=producer"},
		"commands as we create it": {testTopics.Commands, NewTopics{}.New(*topics[testTopics.Commands]).Config, ""},
		"commands compressed":      {testTopics.Commands, map[string]string{"compression.type": "zstd"}, ""},
		"commands too short":       {testTopics.Commands, map[string]string{"retention.ms": "60000"}, "retention.ms=604800000"},
		"commands as the validity": {testTopics.Commands, map[string]string{"retention.ms": "600000"}, ""},
		"results short":            {testTopics.Results, map[string]string{"retention.ms": "1", "retention.bytes": "1"}, ""},
		"results compacted":        {testTopics.Results, map[string]string{"cleanup.policy": "compact,delete"}, "cleanup.policy=delete"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults := topics[tc.topic].Faults(tc.settings)
			if len(faults) > 1 || (len(faults) == 1) != (tc.want != "") || len(faults) == 1 && !strings.HasSuffix(faults[0], tc.want) {
				t.Errorf("%q, want %q", faults, tc.want)
			}
		})
	}
}

func TestTopicsOfThreeReplicasKeepWhatTwoBrokersHave(t *testing.T) {
	t.Parallel()
	for _, p := range testTopics.List(Kept{DedupeWindow: time.Hour}) {
		if (NewTopics{Replicas: 3}).New(p).Config["min.insync.replicas"] != "2" {
			t.Errorf("%s of three replicas", p.Name)
		}
		if _, set := (NewTopics{Replicas: -1}).New(p).Config["min.insync.replicas"]; set {
			t.Errorf("%s: nobody knows how many replicas it will have", p.Name)
		}
	}
}

func TestTheJournalIsKeptForAsLongAsCapsCount(t *testing.T) {
	t.Parallel()
	for _, topic := range testTopics.List(Kept{DedupeWindow: time.Hour, Caps: 25 * time.Hour}) {
		if topic.Name == testTopics.Journal && (topic.Least != 25*time.Hour || topic.Keep != 50*time.Hour) {
			t.Errorf("kept for %s, at least %s", topic.Keep, topic.Least)
		}
	}
}
