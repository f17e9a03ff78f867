package connector

import "smsbridge/connector/telemetry"

// status is what /api/status tells.
func (c *Connector) status() telemetry.Status {
	s := telemetry.Status{
		Version:    c.cfg.Version,
		Instance:   c.cfg.Instance,
		Account:    c.cfg.Account,
		StartedAt:  telemetry.Time(c.started),
		Partitions: c.owned.status(),
	}
	if !c.cfg.Roles.Intake {
		return s
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
