package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
	nooptrace "go.opentelemetry.io/otel/trace/noop"

	"smsbridge/codec/wire"
	"smsbridge/config"
	"smsbridge/connector/provider"
)

// checkProvider asks the balance, which costs nothing and is answered like a
// submit where the account, the password or our address is refused.
func checkProvider(ctx context.Context, list *checklist, c config.Config) {
	if !checkProviderName(ctx, list, c) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	client, err := provider.New(provider.Config{
		URL: c.Provider.URL, BalanceURL: c.Provider.BalanceURL, Proxy: c.Provider.Proxy,
		Timeout: c.Provider.Timeout, MaxInFlight: 1,
		Name: c.Provider.Name.Value, Password: c.Provider.Password.Value,
		Meter: noop.Meter{}, Tracer: nooptrace.Tracer{},
	})
	if err != nil {
		list.say("provider settings", err, "see the SMSBRIDGE_PROVIDER_ variables: smsbridge config")
		return
	}
	defer client.Close()
	balance, date, failure := client.BalanceAndDate(ctx)
	if failure != nil {
		list.say("provider answers", failure, "SMSBRIDGE_PROVIDER_URL (and _BALANCE_URL) must be the address as the provider gave it, path included, and this machine must be allowed to reach it")
		return
	}
	list.say("provider answers", nil, "")
	checkClock(list, date, time.Now())
	if balance.Code != "0" {
		list.say("provider knows us", fmt.Errorf("code %s to the question for the balance", balance.Code),
			"compare SMSBRIDGE_PROVIDER_NAME and _PASSWORD, the account's state and the addresses it may be used from with the provider's console")
		return
	}
	list.say("provider knows us", nil, "")
	checkBalance(list, balance, c.Balance.Low)
}

// checkProviderName looks up who is connected to: the proxy where there is one.
func checkProviderName(ctx context.Context, list *checklist, c config.Config) bool {
	address, setting := c.Provider.URL, "SMSBRIDGE_PROVIDER_URL"
	if c.Provider.Proxy != "" {
		address, setting = c.Provider.Proxy, "SMSBRIDGE_PROVIDER_PROXY"
	}
	u, err := url.Parse(address)
	if err != nil {
		return true // the client tells what is wrong
	}
	return checkName(ctx, list, u.Hostname(), setting)
}

func checkBalance(list *checklist, b wire.Balance, low float64) {
	what := "balance " + b.Amount
	amount, err := strconv.ParseFloat(b.Amount, 64)
	switch {
	case err != nil:
		list.note(what + " is no number")
	case amount <= 0:
		list.say(what, errors.New("nothing is left, so the line would be held"), "top the account up")
	case amount < low:
		list.note(what + " is below SMSBRIDGE_BALANCE_LOW")
	default:
		list.say(what, nil, "")
	}
}

// mostSkew is how far clocks may be apart. Validity, send_at and the digests of
// pushes (300 s) are compared with other machines' clocks.
const mostSkew = 30 * time.Second

// checkClock compares our clock with the Date of the provider's answer, which
// counts in seconds.
func checkClock(list *checklist, theirs, ours time.Time) {
	if theirs.IsZero() {
		list.note("clock not compared: the provider's answer bears no Date")
		return
	}
	skew := ours.Sub(theirs).Round(time.Second)
	what := fmt.Sprintf("clock is within %s of the provider's", mostSkew)
	if skew.Abs() > mostSkew {
		list.say(what, fmt.Errorf("it is %s apart (ours %s, theirs %s)",
			skew.Abs(), ours.UTC().Format(time.TimeOnly), theirs.UTC().Format(time.TimeOnly)), "keep this machine's clock by NTP")
		return
	}
	list.say(what, nil, "")
}
