package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"smsbridge/config"
)

// checkTimeout bounds every single check.
const checkTimeout = 10 * time.Second

// errChecks is what check ends with when anything was not as it should be.
var errChecks = errors.New("not everything is as it should be, see above")

// checklist prints one line for each check as it is made, and at the end once
// more what failed.
type checklist struct {
	out    io.Writer
	checks int
	faults []string
}

// say notes a check and what came of it; remedy says what to do where it failed,
// and may be empty where the error does.
func (l *checklist) say(what string, err error, remedy string) bool {
	l.checks++
	if err != nil {
		fault := what + ": " + err.Error()
		if remedy != "" {
			fault += "; " + remedy
		}
		l.faults = append(l.faults, fault)
		return false
	}
	fmt.Fprintf(l.out, "ok    %s\n", what)
	return true
}

// close prints what failed, last and with its number, as that is what whoever
// reads is to do.
func (l *checklist) close() error {
	if len(l.faults) == 0 {
		fmt.Fprintf(l.out, "\nAll %d checks are ok.\n", l.checks)
		return nil
	}
	fmt.Fprintf(l.out, "\n%d of %d checks failed:\n", len(l.faults), l.checks)
	for _, fault := range l.faults {
		fmt.Fprintf(l.out, "FAIL  %s\n", fault)
	}
	return errChecks
}

// note prints what is worth knowing and no fault.
func (l *checklist) note(what string) {
	fmt.Fprintf(l.out, "note  %s\n", what)
}

func checkCommand() *command {
	return &command{
		name: "check", brief: "validate the configuration, reach Kafka and the provider, send nothing",
		long: `Validates the configuration, reaches Kafka, looks at topics, partitions and rights, and asks the provider for the
balance. Sends nothing. Exits with 1 where something is not as it should be.`,
		flags: func(*flag.FlagSet) action {
			return func(ctx context.Context, _ []string, s streams) error { return check(ctx, s.out) }
		},
	}
}

// check tells whether run would work, and sends nothing.
func check(ctx context.Context, stdout io.Writer) error {
	c, err := config.Load()
	if err != nil {
		return err
	}
	list := &checklist{out: stdout}
	list.say("configuration", nil, "")
	for _, warning := range c.Warnings() {
		list.note(warning)
	}
	checkKafka(ctx, list, c)
	if c.Life.Roles.Has("intake") {
		checkProvider(ctx, list, c)
	}
	if c.Life.Roles.Has("push") && c.Push.SpoolDir == "" {
		list.note("no spool (SMSBRIDGE_PUSH_SPOOL_DIR): pushes that come while Kafka is away are answered 503, and lost if the provider does not repeat them")
	}
	return list.close()
}

// checkName tells whether the host of an address has one, so that a wrong name
// and a broker that is down are told apart.
func checkName(ctx context.Context, list *checklist, host, setting string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true // an address needs no name server
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	_, err := net.DefaultResolver.LookupHost(ctx, host)
	return list.say("name "+host+" is known", err, setting+": check the spelling, and the name servers of this machine")
}
