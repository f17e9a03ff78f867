package connector

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/provider"
)

// firstPartition of the commands: its owner asks the balance for the group.
const firstPartition = 0

// unitOfBalance is what the provider counts.
const unitOfBalance = "messages"

// purse is the balance as it was last heard, by whomever asked.
type purse struct {
	low float64

	mu      sync.Mutex
	balance string
	level   sms.BalanceLevel
	at      time.Time
	changed chan struct{} // one is enough: whoever listens looks for itself
}

func newPurse(low float64) *purse {
	return &purse{low: low, level: sms.BalanceUnknown, changed: make(chan struct{}, 1)}
}

// listening wraps the balance call so that every answer is heard, also those to
// a held line's questions.
func (p *purse) listening(ask func(context.Context) (wire.Balance, *provider.Failure)) func(context.Context) (wire.Balance, *provider.Failure) {
	return func(ctx context.Context) (wire.Balance, *provider.Failure) {
		b, failure := ask(ctx)
		if failure == nil && b.Code == "0" {
			p.hear(b.Amount)
		}
		return b, failure
	}
}

func (p *purse) hear(amount string) {
	amount = strings.TrimSpace(amount)
	number, err := strconv.ParseFloat(amount, 64)
	level := sms.BalanceOK
	switch {
	case err != nil:
		return
	case number <= 0:
		level = sms.BalanceExhausted
	case number < p.low:
		level = sms.BalanceLow
	}
	p.mu.Lock()
	p.balance, p.level, p.at = amount, level, time.Now()
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

func (p *purse) look() (balance string, level sms.BalanceLevel, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.balance, p.level, p.at
}

// watchAccount publishes the state of line and balance, at start and on every
// change, and asks the balance while the first partition is ours.
func (c *Connector) watchAccount(ctx context.Context) error {
	ask := time.NewTimer(0)
	defer ask.Stop()
	var told sms.AccountEvent
	for {
		state, lineMoved := c.line.Watch()
		now := c.accountEvent(state.Line, state.Reason)
		if changed := now; told.At.IsZero() || changed != told {
			if err := c.tellAccount(ctx, now); err != nil && ctx.Err() == nil {
				c.log.Warn("account event not published", "error", err)
			}
			told = now
		}
		mine, ownedMoved := c.owned.has(firstPartition)
		select {
		case <-lineMoved.Done():
		case <-c.purse.changed:
		case <-ownedMoved:
			if now, _ := c.owned.has(firstPartition); now && !mine {
				ask.Reset(0)
			}
		case <-ask.C:
			ask.Reset(c.cfg.BalanceInterval)
			if mine {
				c.askBalance(ctx)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// accountEvent is the account as it stands, without the time that would make
// every one of them differ.
func (c *Connector) accountEvent(line sms.LineState, reason sms.Reason) sms.AccountEvent {
	e := sms.AccountEvent{Account: c.cfg.Account, Instance: c.cfg.Instance, Line: line, Reason: reason, At: c.started}
	e.Balance, e.Level, _ = c.purse.look()
	if e.Balance != "" {
		e.Unit = unitOfBalance
	}
	return e
}

func (c *Connector) tellAccount(ctx context.Context, e sms.AccountEvent) error {
	e.At = time.Now()
	return c.events.publish(ctx, c.events.message(c.cfg.Topics.Account, kafkaio.AnyPartition, codec.EncodeAccount(e)))
}

func (c *Connector) askBalance(ctx context.Context) {
	b, failure := c.balance(ctx)
	switch {
	case ctx.Err() != nil:
	case failure != nil:
		c.log.Warn("balance not known", "error", failure)
	case b.Code != "0":
		c.log.Warn("balance refused", "code", b.Code)
	}
}
