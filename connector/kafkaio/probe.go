package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Probe connects anew, as every later connection will, to one of the configured
// brokers and to those that it names, and logs in. An error is, or joins, *ConnectError,
// one for each broker that was tried.
func (c *Client) Probe(ctx context.Context) error {
	found, errs := c.knockAll(ctx, c.cfg.Brokers)
	if found == nil {
		return errors.Join(errs...)
	}
	return c.probeAdvertised(ctx, *found)
}

// knock connects anew to one broker and returns what it knows of the cluster.
func (c *Client) knock(ctx context.Context, address string) (clusterView, error) {
	conn, err := c.pool.connect(ctx, address)
	if err != nil {
		return clusterView{}, err
	}
	bounded, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	res, err := conn.roundTrip(bounded, &metadataRequest{}, newestVersion, nil)
	switch {
	case err == nil:
		c.pool.put(conn)
		return res.(*metadataAnswer).view, nil
	case hungUp(err) && c.pool.login == nil:
		err = refuse(address, ErrLogin, err, "KAFKA_SASL_MECHANISM: set it, with KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD, if this listener wants a login")
	default:
		err = refuse(address, ErrUnreachable, err, "KAFKA_BROKERS: the broker took the connection and then failed")
	}
	_ = conn.Close()
	return clusterView{}, err
}

// knockAll knocks at several addresses at once, and returns what one of them
// told, nil where none did.
func (c *Client) knockAll(ctx context.Context, addresses []string) (found *clusterView, errs []error) {
	var (
		wg sync.WaitGroup
		mu sync.Mutex
	)
	for _, address := range addresses {
		wg.Go(func() {
			view, err := c.knock(ctx, address)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			found = &view
		})
	}
	wg.Wait()
	return found, errs
}

// probeAdvertised knocks at the addresses that the brokers give for themselves,
// which are often right only inside of their own network. One that works is
// enough to begin with: the others may be about to come up.
func (c *Client) probeAdvertised(ctx context.Context, view clusterView) error {
	found, errs := c.knockAll(ctx, slices.Collect(maps.Values(view.brokers)))
	err := errors.Join(errs...)
	if found == nil && err != nil {
		return fmt.Errorf("the addresses that the brokers advertise (advertised.listeners) do not work from here: %w", err)
	}
	if err != nil {
		c.log.Warn("some brokers cannot be reached", "error", err)
	}
	return nil
}
