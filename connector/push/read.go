package push

import (
	"context"
	"fmt"

	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
)

// read finds out who says that he is the provider, and what there is to make
// durable should he be. publish returns a *wire.Unreadable for what of the push
// cannot be read; the rest is durable then.
func (s *Server) read(raw Raw) (given wire.Credentials, publish func(context.Context) error) {
	if raw.Kind == Report {
		return s.readReport(raw)
	}
	return s.readInbound(raw)
}

func (s *Server) readReport(raw Raw) (wire.Credentials, func(context.Context) error) {
	report, err := wire.ParseReportPush(raw.Push)
	return report.Credentials, func(ctx context.Context) error {
		if err != nil {
			return err
		}
		if len(report.Mobiles) > wire.MaxRecords {
			return &wire.Unreadable{
				Field:  "mobile",
				Rule:   fmt.Sprintf("holds more than %d numbers", wire.MaxRecords),
				Remedy: "ask the provider for smaller pushes",
			}
		}
		return s.Sink.Report(ctx, raw, report)
	}
}

func (s *Server) readInbound(raw Raw) (wire.Credentials, func(context.Context) error) {
	push, err := wire.ParseInboundPush(raw.Push)
	return push.Credentials, func(ctx context.Context) error {
		if err != nil {
			return err
		}
		records, unreadable := wire.ParseArgs(push.Args)
		if len(records) == 0 {
			return unreadable
		}
		if err := s.Sink.Inbound(ctx, raw, s.messages(records, raw)); err != nil {
			return err
		}
		return unreadable
	}
}

func (s *Server) messages(records []wire.MO, raw Raw) []sms.Inbound {
	all := make([]sms.Inbound, len(records))
	for i, r := range records {
		system, command := wire.SplitExtension(r.Extension, s.SystemExtensionLength)
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
			Account:          s.Account,
		}
	}
	return all
}
