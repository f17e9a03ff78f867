package connector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"smsbridge/connector/kafkaio"
)

// JournalFaults says in which ways the settings of the journal topic let it
// forget sooner than command ids are to be remembered, or lose what it has
// acknowledged, each with the remedy.
func JournalFaults(topic string, settings map[string]string, window time.Duration) []string {
	var faults []string
	alter := func(fault, setting string) {
		faults = append(faults, fmt.Sprintf("topic %s: %s; kafka-configs --alter --topic %s --add-config %s", topic, fault, topic, setting))
	}
	if strings.Contains(settings["cleanup.policy"], "compact") {
		alter("is compacted, which drops what must be kept", "cleanup.policy=delete")
	}
	kept, err := strconv.ParseInt(settings["retention.ms"], 10, 64)
	if err == nil && kept >= 0 && kept < window.Milliseconds() {
		alter(fmt.Sprintf("forgets after %s, ids are to be remembered for %s", time.Duration(kept)*time.Millisecond, window),
			fmt.Sprintf("retention.ms=%d", 2*window.Milliseconds()))
	}
	if bytes := cmp.Or(settings["retention.bytes"], "-1"); bytes != "-1" {
		alter("forgets by size (retention.bytes="+bytes+"), perhaps within the dedupe window", "retention.bytes=-1")
	}
	if settings["unclean.leader.election.enable"] == "true" {
		alter("may lose what it acknowledged when brokers fail", "unclean.leader.election.enable=false")
	}
	return faults
}

// warnOfJournal logs the faults of the journal topic's settings, where we may
// see them.
func (c *Connector) warnOfJournal(ctx context.Context) {
	settings, err := c.kafka.TopicConfig(ctx, c.cfg.Topics.Journal)
	switch {
	case errors.Is(err, kafkaio.ErrUnauthorized):
		c.log.Debug("settings of the journal topic not seen: no right to describe them")
	case err != nil && ctx.Err() == nil:
		c.log.Warn("settings of the journal topic not seen", "error", err)
	}
	for _, fault := range JournalFaults(c.cfg.Topics.Journal, settings, c.cfg.Kept.DedupeWindow) {
		c.log.Warn("journal topic is not set as it should be", "fault", fault)
	}
}
