package kafkaio

import (
	"context"
	"errors"
)

// ErrLost is why the work of a generation ends when the group gives the
// partitions to others.
var ErrLost = errors.New("the partitions are being assigned anew")

// Serve is one membership in a group: serve works through one generation after
// the other, until it returns an error, which Serve then returns as well, or ctx
// ends. What serve is given as context ends with the generation, by ErrLost; it
// returns when what was begun is finished and committed.
func (c *Client) Serve(ctx context.Context, cfg GroupConfig, serve func(context.Context, *Generation) error) error {
	group, err := c.JoinGroup(cfg)
	if err != nil {
		return err
	}
	defer func() {
		if err := group.Close(); err != nil {
			group.log.Warn("the group was not left in order; its partitions move when the session times out", "error", err)
		}
	}()
	for {
		gen, err := group.Next(ctx)
		if err != nil {
			return err
		}
		err = gen.serve(ctx, serve)
		gen.Release()
		if err != nil {
			return err
		}
	}
}

func (gen *Generation) serve(ctx context.Context, serve func(context.Context, *Generation) error) error {
	ctx, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	go func() {
		select {
		case <-gen.Lost():
			lose(ErrLost)
		case <-ctx.Done():
		}
	}()
	return serve(ctx, gen)
}
