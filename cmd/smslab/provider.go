package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"smsbridge/cmd/smslab/simulator"
)

// runProvider serves the provider's API until ctx ends.
func runProvider(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("provider", flag.ContinueOnError)
	listen := fs.String("listen", "127.0.0.1:8090", "address to listen on: /sms, /ledger, /pushes, /stats, /fault, /mo")
	var cfg simulator.Config
	account(fs, &cfg)
	pushes(fs, &cfg)
	faults(fs, &cfg.Faults)
	if err := parse(fs, args); err != nil {
		return err
	}
	if mode := cfg.PushAuth.Mode; mode != "static" && mode != "md5" && mode != "none" {
		fmt.Fprintln(os.Stderr, "smslab provider: -push-auth must be static, md5 or none")
		return errUsage
	}

	var err error
	if cfg.Listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", *listen); err != nil {
		return err
	}
	p, err := simulator.Start(cfg)
	if err != nil {
		cfg.Listener.Close() //nolint:errcheck // the simulator's error says more
		return err
	}
	fmt.Fprintf(out, "provider listening on %s\n", p.URL())
	<-ctx.Done()
	return p.Close()
}

func account(fs *flag.FlagSet, cfg *simulator.Config) {
	fs.StringVar(&cfg.Name, "name", "", "the account's name; empty: any")
	fs.StringVar(&cfg.Password, "password", "", "the account's password; empty: any")
	fs.Int64Var(&cfg.Balance, "balance", 0, "texts on the account; 0: a billion")
	fs.StringVar(&cfg.BlackSuffix, "blacklist-suffix", "", "numbers that end so are blacklisted")
	fs.Func("sensitive", "refuse contents that hold one of these, comma-separated, by code 1", func(s string) error {
		cfg.Sensitive = strings.Split(s, ",")
		return nil
	})
	fs.StringVar(&cfg.LedgerFile, "ledger", "", "append the ledger to this file as well")
}

func pushes(fs *flag.FlagSet, cfg *simulator.Config) {
	fs.StringVar(&cfg.Push, "push", "", "base address of the connector's push listener; empty: nothing is pushed")
	fs.StringVar(&cfg.PushAuth.Mode, "push-auth", "static", "static, md5 or none")
	fs.StringVar(&cfg.PushAuth.Name, "push-name", "", "name in static pushes")
	fs.StringVar(&cfg.PushAuth.Password, "push-password", "", "pwd in pushes")
	fs.StringVar(&cfg.PushAuth.Secret, "push-secret", "", "AccessSecret of md5 pushes")
	fs.StringVar(&cfg.PushAuth.Token, "push-token", "", "secret path segment")
	fs.IntVar(&cfg.PushConnections, "push-connections", 0, "pushes under way at once; 0: 64")
	fs.Float64Var(&cfg.MORate, "mo-rate", 0, "pushes of inbound messages a second")

	r := &cfg.Reports
	fs.Float64Var(&r.Share, "reports", 1, "share of the accepted numbers that are reported on")
	fs.TextVar(&r.Mix, "report-mix", simulator.Mix(nil), "states and their weights, DELIVRD=90,UNDELIV=10; empty: all DELIVRD")
	fs.TextVar(&r.DelayMin, "report-delay-min", seconds(0.5), "from a submit's answer to its report")
	fs.TextVar(&r.DelayMax, "report-delay-max", seconds(3), "the longest such time")
	fs.IntVar(&r.Group, "report-group", 1, "numbers of the same state in one push")
}

func faults(fs *flag.FlagSet, f *simulator.Faults) {
	for _, p := range []struct {
		to         *float64
		name, does string
	}{
		{&f.Drop, "drop", "carry out, then end the connection without an answer"},
		{&f.Reset, "reset", "carry out, then reset"},
		{&f.Cut, "cut", "carry out, cut the answer"},
		{&f.Error, "error", "answer 500, 502 or 504; one in two carried out"},
		{&f.HTML, "html", "answer 200 with a page; one in two carried out"},
		{&f.System, "system", "answer code -1"},
		{&f.Redirect, "redirect", "answer 307 to itself"},
		{&f.Throttle, "throttle", "answer 429"},
		{&f.Busy, "busy", "answer 503 with Retry-After"},
		{&f.Hang, "hang", "answer nothing for -hang-for; one in two carried out"},
		{&f.Stale, "stale", "answer, then reset the next request of the connection"},
		{&f.Miscount, "miscount", "answer with a Content-Length that counts characters"},
		{&f.Repeat, "report-repeat", "push a report once more, byte for byte"},
		{&f.Early, "report-early", "push a submit's reports before its answer, which waits for that half a second at most"},
		{&f.Hostile, "mo-hostile", "an inbound message imitates the protocol"},
		{&f.PushRaw, "push-raw", "push without percent-encoding"},
		{&f.PushQuery, "push-query", "push with the fields in the query"},
	} {
		fs.Float64Var(p.to, p.name, 0, "probability: "+p.does)
	}
	fs.TextVar(&f.Storm, "report-storm", seconds(0), "hold reports back and push all of them at once, so often; 0: each in its own time")
	fs.TextVar(&f.HangFor, "hang-for", seconds(60), "how long a hang lasts")
	fs.IntVar(&f.RetryAfter, "retry-after", 0, "seconds, in a 429 or 503; 0: 429 without it")
	fs.StringVar(&f.Forbid, "forbid", "", "answer 403 to contents that hold this")
	fs.StringVar(&f.ThrottleNumbers, "throttle-numbers", "", "answer 429 when the first number begins so")
	fs.IntVar(&f.ThrottleAfter, "throttle-after", 0, "seconds, in that 429; 0: without Retry-After")
	fs.StringVar(&f.SlowNumbers, "slow-numbers", "", "take -slow-for when the first number begins so")
	fs.TextVar(&f.SlowFor, "slow-for", seconds(1), "how long such an answer takes")
	fs.TextVar(&f.LatencyMin, "latency-min", seconds(0), "of every answer, evenly up to -latency-max")
	fs.TextVar(&f.LatencyMax, "latency-max", seconds(0), "the longest one")
	fs.StringVar(&f.Code, "code", "", "answer every submit by this code, and balance calls by 10 to 13")
	fs.StringVar(&f.CodeText, "code-text", "", "text of -code")
	fs.TextVar(&f.CodeFor, "code-for", seconds(0), "how long; 0: until POST /fault changes it")
}

func seconds(s float64) simulator.Duration {
	return simulator.Duration(s * float64(time.Second))
}
