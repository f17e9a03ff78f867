package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go/protocol"
)

const (
	// requestTimeout is the longest that a request may take whose caller sets no
	// shorter time.
	requestTimeout = 30 * time.Second
	// anyPatience is how long one broker may take for what any other could answer
	// as well. The last one that is left gets lastPatience: a slow answer is
	// better than none.
	anyPatience  = 5 * time.Second
	lastPatience = 15 * time.Second
)

// anyBroker as a destination leaves the choice to brokers.candidates, and the
// request is made again of the next one until one answers.
const anyBroker int32 = -1

// errUnknownBroker says that nobody told where a broker is. A look at the
// cluster's layout may tell.
var errUnknownBroker = errors.New("the broker's address is not known")

// ask makes a request of one broker, chosen by its id (see leader), and returns
// the answer of the matching type: in the newest version up to the given one that
// both sides know. The error codes inside of the answer are the caller's to judge.
//
// After an error, what was begun may have been carried out, or be so yet. Whom
// that concerns gives a gate, and asks it.
func (c *Client) ask(ctx context.Context, broker int32, req protocol.Message, newest int16, g *gate) (protocol.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if broker == anyBroker {
		return c.askAny(ctx, req, newest)
	}
	address, err := c.brokers.address(broker)
	if err != nil {
		c.renew()
		return nil, fmt.Errorf("%s: %w", req.ApiKey(), err)
	}
	return c.askAt(ctx, address, req, newest, g)
}

// askAny makes a request, which must be one that may be made twice, of one broker
// after the other.
func (c *Client) askAny(ctx context.Context, req protocol.Message, newest int16) (res protocol.Message, err error) {
	candidates := c.brokers.candidates()
	for i, address := range candidates {
		patience := anyPatience
		if i == len(candidates)-1 {
			patience = lastPatience
		}
		bounded, cancel := context.WithTimeout(ctx, patience)
		res, err = c.askAt(bounded, address, req, newest, nil)
		cancel()
		if err == nil {
			c.brokers.answered(address)
			return res, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// askAt makes a request at an address.
func (c *Client) askAt(ctx context.Context, address string, req protocol.Message, newest int16, g *gate) (protocol.Message, error) {
	conn, err := c.pool.get(ctx, address)
	var res protocol.Message
	if err == nil {
		res, err = conn.roundTrip(ctx, req, newest, g)
		switch {
		case err == nil, errors.Is(err, errAbandoned):
			c.pool.put(conn)
		default:
			_ = conn.Close()
		}
	}
	if err == nil {
		return res, nil
	}
	cause := context.Cause(ctx)
	if !errors.Is(err, errAbandoned) && !errors.Is(ctx.Err(), context.Canceled) {
		c.pool.drop(address)
		if late(err) || errors.Is(err, ErrUnreachable) {
			c.brokers.silent(address)
		}
	}
	if cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return nil, fmt.Errorf("%s: %w", req.ApiKey(), err)
}
