package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
	nooptrace "go.opentelemetry.io/otel/trace/noop"

	"smsbridge/config"
	"smsbridge/connector/provider"
)

// checkTimeout bounds every single check.
const checkTimeout = 10 * time.Second

// errChecks is what check ends with when anything was not as it should be.
var errChecks = errors.New("not everything is as it should be, see above")

// checklist prints one line for each check.
type checklist struct {
	out    io.Writer
	failed bool
}

func (l *checklist) say(what string, err error) bool {
	if err != nil {
		l.failed = true
		fmt.Fprintf(l.out, "FAIL  %s: %v\n", what, err)
		return false
	}
	fmt.Fprintf(l.out, "ok    %s\n", what)
	return true
}

// note prints what is worth knowing and no fault.
func (l *checklist) note(what string) {
	fmt.Fprintf(l.out, "note  %s\n", what)
}

// check tells whether run would work, and sends nothing.
func check(ctx context.Context, stdout io.Writer) error {
	c, err := config.Load()
	if err != nil {
		return err
	}
	list := &checklist{out: stdout}
	list.say("configuration", nil)
	checkKafka(ctx, list, c)
	if c.Life.Roles.Has("intake") {
		checkProvider(ctx, list, c)
	}
	if list.failed {
		return errChecks
	}
	return nil
}

func checkProvider(ctx context.Context, list *checklist, c config.Config) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	client, err := provider.New(provider.Config{
		URL: c.Provider.URL, BalanceURL: c.Provider.BalanceURL, Proxy: c.Provider.Proxy,
		Timeout: c.Provider.Timeout, MaxInFlight: 1,
		Name: c.Provider.Name.Value, Password: c.Provider.Password.Value,
		Meter: noop.Meter{}, Tracer: nooptrace.Tracer{},
	})
	if err != nil {
		list.say("provider settings", err)
		return
	}
	defer client.Close()
	balance, failure := client.Balance(ctx)
	switch {
	case failure != nil:
		list.say("provider answers", failure)
	case balance.Code != "0":
		list.say("provider knows us", fmt.Errorf("code %s to the question for the balance; see the provider's console", balance.Code))
	default:
		list.say(fmt.Sprintf("provider answers, balance %s", balance.Amount), nil)
	}
}
