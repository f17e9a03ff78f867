package push

import (
	"fmt"

	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
)

// read finds out who says that he is the provider, and what he says.
func (s *Server) read(raw Raw) (wire.Credentials, Pushed) {
	p := Pushed{Raw: raw}
	if raw.Kind == Report {
		report, err := wire.ParseReportPush(raw.Push)
		switch {
		case err != nil:
			p.Unreadable = err
		case len(report.Mobiles) > wire.MaxRecords:
			p.Unreadable = &wire.Unreadable{
				Field:  "mobile",
				Rule:   fmt.Sprintf("holds more than %d numbers", wire.MaxRecords),
				Remedy: "ask the provider for smaller pushes",
			}
		default:
			p.Report = &report
		}
		return report.Credentials, p
	}
	inbound, err := wire.ParseInboundPush(raw.Push)
	if err != nil {
		p.Unreadable = err
		return inbound.Credentials, p
	}
	var records []wire.MO
	records, p.Unreadable = wire.ParseArgs(inbound.Args)
	held := len(records)
	if p.Unreadable != nil {
		held++ // what is left of it
	}
	p.Inbound = s.messages(records, held, raw)
	return inbound.Credentials, p
}

func (s *Server) messages(records []wire.MO, held int, raw Raw) []sms.Inbound {
	all := make([]sms.Inbound, len(records))
	for i, r := range records {
		var system, command string
		if s.SystemExtensionLength != nil {
			system, command = wire.SplitExtension(r.Extension, *s.SystemExtensionLength)
		}
		all[i] = sms.Inbound{
			From:             r.From,
			Text:             r.Text,
			Extension:        r.Extension,
			SystemExtension:  system,
			CommandExtension: command,
			SentAt:           r.SentAt,
			ReceivedAt:       raw.ReceivedAt,
			Keyword:          s.Keywords.Of(r.Text),
			Confidence:       r.Confidence,
			Records:          held,
			Account:          s.Account,
		}
	}
	return all
}
