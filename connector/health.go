package connector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"smsbridge/connector/kafkaio"
)

const (
	// healthPause is between two looks at a Kafka that is usable; one that is
	// not is looked at more often, as everybody waits for it.
	healthPause   = 2 * time.Second
	waitingPause  = 250 * time.Millisecond
	healthTimeout = 3 * time.Second
)

// health knows whether Kafka was there when last looked.
type health struct {
	mu  sync.Mutex
	err error
}

var errNotReached = errors.New("kafka was not reached yet")

// ready reports why Kafka was not usable when last looked, or nil.
func (h *health) ready() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

func (h *health) set(err error) (before error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before, h.err = h.err, err
	return before
}

// watchKafka looks again and again whether the topics that are written to are
// there, and says so once when that changes.
func (c *Connector) watchKafka(ctx context.Context) error {
	for {
		err := c.lookAtKafka(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the stop made it fail
		}
		before := c.health.set(err)
		switch {
		case err != nil && before == nil:
			c.log.Error("kafka is not usable, nothing is submitted until it is", "error", err)
		case err == nil && before != nil:
			c.log.Info("kafka is usable")
		}
		pause := healthPause
		if err != nil {
			pause = waitingPause
		}
		sleep(ctx, pause)
	}
}

func (c *Connector) lookAtKafka(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	return c.expect(ctx, c.cfg.Topics.written(c.cfg.Roles))
}

// expect counts the partitions of all topics of ours, and fails unless every one
// of those that are named is there.
func (c *Connector) expect(ctx context.Context, names []string) error {
	found, err := c.kafka.Topics(ctx, c.cfg.Topics.used(c.cfg.Roles)...)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	c.events.count(found)
	for _, name := range names {
		if _, ok := found[name]; !ok {
			return fmt.Errorf("topic %s does not exist; create it, or set SMSBRIDGE_KAFKA_CREATE_TOPICS=true", name)
		}
	}
	return nil
}

// reach waits until Kafka answers and every topic is there. It gives up only
// where waiting does not help: wrong credentials, missing rights.
func (c *Connector) reach(ctx context.Context) error {
	told, refusals := "", 0
	for {
		err := c.prepare(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if !hopeless(err) {
			refusals = 0
		} else if refusals++; refusals > 1 { // the first one may be from a broker that is going away
			return err
		}
		if told != err.Error() {
			told = err.Error()
			c.log.Warn("waiting for kafka", "error", err)
		}
		sleep(ctx, waitingPause)
	}
}

// hopeless says that waiting does not help: somebody must change something.
func hopeless(err error) bool {
	if errors.Is(err, kafkaio.ErrUnreachable) {
		return false
	}
	return errors.Is(err, kafkaio.ErrUnauthorized) || errors.Is(err, kafkaio.ErrLogin) || errors.Is(err, kafkaio.ErrTLS)
}

func (c *Connector) prepare(ctx context.Context) error {
	if err := c.kafka.Probe(ctx); err != nil {
		return err
	}
	if c.cfg.Create != nil {
		if err := c.kafka.CreateTopics(ctx, c.cfg.Create.Missing(c.cfg.Topics, c.cfg.Kept)...); err != nil {
			return err
		}
	}
	if err := c.expect(ctx, c.cfg.Topics.used(c.cfg.Roles)); err != nil {
		return err
	}
	c.warnOfSettings(ctx)
	return nil
}
