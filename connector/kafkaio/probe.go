package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// What a ConnectError is about; to be asked for by errors.Is.
var (
	// ErrUnreachable may mend itself: the broker, or the way to it, is down.
	ErrUnreachable = errors.New("unreachable")
	// ErrTLS and ErrLogin need somebody to change the configuration, unless they
	// come with ErrUnreachable.
	ErrTLS   = errors.New("TLS failed")
	ErrLogin = errors.New("login failed")
)

// ConnectError says why a broker could not be talked to, which setting is about
// it, and what to do. It holds no secret.
type ConnectError struct {
	Broker string // host:port
	Kind   error  // ErrUnreachable, ErrTLS or ErrLogin
	Remedy string // begins with the setting
	Err    error
}

// Error implements error.
func (e *ConnectError) Error() string {
	return fmt.Sprintf("Kafka broker %s: %v: %v. %s", e.Broker, e.Kind, e.Err, e.Remedy)
}

// Unwrap gives the kind and the cause. Where the connection only broke off, it
// gives ErrUnreachable too: Kind is then a guess, and it may mend itself, as when
// a broker behind a proxy is still coming up.
func (e *ConnectError) Unwrap() []error {
	if brokeOff(e.Err) {
		return []error{e.Kind, ErrUnreachable, e.Err}
	}
	return []error{e.Kind, e.Err}
}

// Probe connects anew, as every later connection will, to one of the configured
// brokers and to those that it names, and logs in. kafka-go alone would tell
// wrong credentials as "topic not found". An error is, or joins, *ConnectError,
// one for each broker that was tried.
func (c *Client) Probe(ctx context.Context) error {
	var errs error
	for _, broker := range c.cfg.Brokers {
		view, err := c.knock(ctx, broker)
		if err == nil {
			return c.probeAdvertised(ctx, view)
		}
		errs = errors.Join(errs, err)
	}
	return errs
}

// probeAdvertised knocks at the addresses that the brokers give for themselves,
// which are often right only inside of their own network. One that works is
// enough to begin with: the others may be about to come up.
func (c *Client) probeAdvertised(ctx context.Context, view clusterView) error {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		errs []error
	)
	for _, broker := range view.brokers {
		wg.Go(func() {
			if _, err := c.knock(ctx, broker); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	err := errors.Join(errs...)
	if len(errs) == len(view.brokers) && err != nil {
		return fmt.Errorf("the addresses that the brokers advertise (advertised.listeners) do not work from here: %w", err)
	}
	if err != nil {
		c.log.Warn("some brokers cannot be reached", "error", err)
	}
	return nil
}
