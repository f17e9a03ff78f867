package connector

import "smsbridge/connector/telemetry"

// status is what /api/status tells.
func (c *Connector) status() telemetry.Status {
	line := c.line.State()
	balance, level, at := c.purse.look()
	s := telemetry.Status{
		Version:    c.cfg.Version,
		Instance:   c.cfg.Instance,
		Account:    c.cfg.Account,
		StartedAt:  telemetry.Time(c.started),
		Line:       telemetry.Line{State: string(line.Line), Reason: telemetry.Text(line.Reason), Since: telemetry.Time(line.Since)},
		Balance:    telemetry.Balance{Amount: telemetry.Text(balance), Level: string(level), At: telemetry.Time(at)},
		Partitions: c.owned.status(),
	}
	if balance != "" {
		s.Balance.Unit = unitOfBalance
	}
	return s
}
