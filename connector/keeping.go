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

// Faults says in which ways the settings of a topic let it forget sooner than it
// may, lose what it has acknowledged, or be slower than need be, each with the
// remedy. What the settings do not tell is no fault.
func (t *Topic) Faults(settings map[string]string) []string {
	var faults []string
	alter := func(fault, setting string) {
		faults = append(faults, fmt.Sprintf("topic %s: %s; kafka-configs --alter --topic %s --add-config %s", t.Name, fault, t.Name, setting))
	}
	compacted := strings.Contains(settings["cleanup.policy"], "compact")
	if compacted && t.Compact {
		return nil // the latest record of each key is kept
	}
	if compacted {
		alter("is compacted, which drops what must be kept", "cleanup.policy=delete")
	}
	kept, err := strconv.ParseInt(settings["retention.ms"], 10, 64)
	if err == nil && kept >= 0 && kept < t.Least.Milliseconds() {
		alter(fmt.Sprintf("forgets after %s, must not before %s: %s", time.Duration(kept)*time.Millisecond, t.Least, t.Lost),
			fmt.Sprintf("retention.ms=%d", t.Keep.Milliseconds()))
	}
	if bytes := cmp.Or(settings["retention.bytes"], "-1"); bytes != "-1" && t.Least > 0 {
		alter("forgets by size (retention.bytes="+bytes+"), perhaps sooner than it may", "retention.bytes=-1")
	}
	if settings["unclean.leader.election.enable"] == "true" {
		alter("may lose what it acknowledged when brokers fail", "unclean.leader.election.enable=false")
	}
	compression := settings["compression.type"]
	if t.Config["compression.type"] != "" && compression != "" && compression != "producer" && compression != "uncompressed" {
		alter("every submit waits while the broker compresses (compression.type="+compression+")", "compression.type=producer")
	}
	return faults
}

// warnOfSettings logs the faults of the settings of the topics that we read, where
// we may see them. Of those nothing may be lost to us.
func (c *Connector) warnOfSettings(ctx context.Context) {
	for _, t := range c.cfg.Topics.List(c.cfg.Kept) {
		if !t.ReadBy(c.cfg.Roles) {
			continue
		}
		settings, err := c.kafka.TopicConfig(ctx, t.Name)
		switch {
		case errors.Is(err, kafkaio.ErrUnauthorized):
			c.log.Debug("settings of a topic not seen: no right to describe them", "topic", t.Name)
		case err != nil && ctx.Err() == nil:
			c.log.Warn("settings of a topic not seen", "topic", t.Name, "error", err)
		}
		for _, fault := range t.Faults(settings) {
			c.log.Warn("a topic is not set as it should be", "fault", fault)
		}
	}
}
