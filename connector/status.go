package connector

import (
	"fmt"
	"slices"
	"strings"

	"smsbridge/connector/correlate"
	"smsbridge/connector/push"
	"smsbridge/connector/telemetry"
)

// status is what /api/status tells.
func (c *Connector) status() telemetry.Status {
	s := telemetry.Status{
		Version:    c.cfg.Version,
		Instance:   c.cfg.Instance,
		Account:    c.cfg.Account,
		StartedAt:  telemetry.Time(c.started),
		Held:       []telemetry.Held{},
		Caps:       []telemetry.Cap{},
		Waiting:    []telemetry.Waiting{},
		Partitions: c.owned.status(),
	}
	if c.listener != nil {
		s.Spool = spoolStatus(c.listener)
	}
	if c.cfg.Roles.Correlate {
		s.Reports = c.reportStatus()
	}
	if !c.cfg.Roles.Intake {
		return s
	}
	s.InFlight = c.submitter.InFlight()
	for what, count := range c.pool.Waiting() {
		s.Waiting = append(s.Waiting, telemetry.Waiting{For: what, Count: count})
	}
	slices.SortFunc(s.Waiting, func(a, b telemetry.Waiting) int { return strings.Compare(a.For, b.For) })
	for _, o := range c.submitter.Outcomes() {
		s.Outcomes = append(s.Outcomes, telemetry.Outcome{Status: string(o.Status), Reason: telemetry.Text(o.Reason), Count: o.Number})
	}
	for class, h := range c.board.Held() {
		s.Held = append(s.Held, telemetry.Held{
			Class: string(class), Since: telemetry.Time(h.Since), By: telemetry.Text(h.By), Reason: telemetry.Text(h.Reason),
		})
	}
	slices.SortFunc(s.Held, func(a, b telemetry.Held) int { return strings.Compare(a.Class, b.Class) })
	if c.caps != nil {
		for _, used := range c.caps.Standing() {
			s.Caps = append(s.Caps, telemetry.Cap(used))
		}
	}
	line := c.line.State()
	s.Line = &telemetry.Line{State: string(line.Line), Reason: telemetry.Text(line.Reason), Since: telemetry.Time(line.Since)}
	balance, level, at := c.purse.look()
	s.Balance = &telemetry.Balance{Amount: telemetry.Text(balance), Level: string(level), At: telemetry.Time(at)}
	if balance != "" {
		s.Balance.Unit = unitOfBalance
	}
	return s
}

func spoolStatus(l *push.Server) *telemetry.Spool {
	st, ok := l.Spool()
	if !ok {
		return nil
	}
	return &telemetry.Spool{
		Bytes: st.Bytes, MaxBytes: st.Max, Waiting: st.Waiting, OldestAt: telemetry.Time(st.Oldest),
		SetAside: st.SetAside, Failing: why(st.Failing), Blocked: why(st.Blocked),
	}
}

func why(err error) telemetry.Text {
	if err == nil {
		return ""
	}
	return telemetry.Text(err.Error())
}

// ready reports why a push could not be made durable now, in Kafka or the spool,
// or nil.
func (c *Connector) ready() error {
	err := c.health.ready()
	if err == nil || c.listener == nil {
		return err
	}
	st, ok := c.listener.Spool()
	switch {
	case !ok:
		return err
	case st.Failing != nil:
		return fmt.Errorf("%w; and the spool: %w", err, st.Failing)
	}
	return nil
}

func (c *Connector) reportStatus() *telemetry.Reports {
	status := c.correlator.Status()
	r := &telemetry.Reports{
		Halted: telemetry.Text(status.Halted), Partitions: make([]telemetry.ReportPartition, len(status.Partitions)),
		Published: delay(status.Published), Final: delay(status.Final),
	}
	for i, p := range status.Partitions {
		r.Partitions[i] = telemetry.ReportPartition{
			Partition: p.Partition, Lag: p.Lag, Parked: p.Parked, Restoring: p.Restore, Halted: telemetry.Text(p.Halted),
		}
	}
	return r
}

func delay(d correlate.Delay) *telemetry.Delay {
	if d.Reports == 0 {
		return nil
	}
	return &telemetry.Delay{Reports: d.Reports, P50: d.P50.Milliseconds(), P99: d.P99.Milliseconds()}
}
