package push

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"smsbridge/codec/wire"
	"smsbridge/connector/push/spool"
)

const (
	// diskPatience is how long a push may wait for the disk.
	diskPatience = 3 * time.Second
	// drainPatience is how long pushes from the spool may take to become durable.
	// Nobody waits for them; those that are given up half-way are repeated.
	drainPatience = 10 * time.Second
)

// spooled is a push as it waits on disk. It holds no credentials, for whoever
// made it was believed already. What it says is read again when it is taken, by
// the same code; only that the body was cut cannot be seen any more.
type spooled struct {
	Kind        Kind      `json:"kind"`
	ReceivedAt  time.Time `json:"received_at"`
	ContentType []byte    `json:"content_type,omitempty"` // of any charset, like the next two
	Query       []byte    `json:"query,omitempty"`
	Body        []byte    `json:"body,omitempty"`
	Cut         bool      `json:"cut,omitempty"`
}

func encodeSpooled(p Pushed) ([]byte, error) {
	bare := p.WithoutCredentials()
	return json.Marshal(spooled{
		Kind: p.Kind, ReceivedAt: p.ReceivedAt,
		ContentType: []byte(p.ContentType), Query: []byte(bare.Query), Body: bare.Body,
		Cut: errors.Is(p.Unreadable, errCut),
	})
}

// readSpooled reads a push as it was read when it came.
func (s *Server) readSpooled(record []byte) Pushed {
	var kept spooled
	if err := json.Unmarshal(record, &kept); err != nil {
		return Pushed{Raw: Raw{Kind: noKind, Push: wire.Push{Body: record}}, Unreadable: &wire.Unreadable{
			Rule: "a record of the spool is not what this version writes", Remedy: "look at the raw record",
		}}
	}
	raw := Raw{
		Kind: kept.Kind, ReceivedAt: kept.ReceivedAt,
		Push: wire.Push{ContentType: string(kept.ContentType), Query: string(kept.Query), Body: kept.Body},
	}
	if kept.Cut {
		return Pushed{Raw: raw, Unreadable: errCut}
	}
	_, p := s.read(raw)
	return p
}

// toDisk keeps a push that Kafka does not take now.
func (s *Server) toDisk(ctx context.Context, p Pushed) error {
	record, err := encodeSpooled(p)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, diskPatience)
	defer cancel()
	return s.spool.Append(ctx, record)
}

// fromDisk makes pushes from the spool durable, all of them or not.
func (s *Server) fromDisk(ctx context.Context, records [][]byte) error {
	ctx, cancel := context.WithTimeout(ctx, drainPatience)
	defer cancel()
	all := make([]Pushed, len(records))
	for i, record := range records {
		err := s.guarded(ctx, func() error { all[i] = s.readSpooled(record); return nil })
		if err != nil {
			all[i] = Pushed{Raw: Raw{Kind: noKind, Push: wire.Push{Body: record}}, Unreadable: err}
		}
	}
	err := s.guarded(ctx, func() error { return s.Sink.Keep(ctx, all...) })
	if !isUnreadable(err) {
		return err
	}
	for _, p := range all { // one of them cannot be published as it was read
		if _, err := s.publish(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// openSpool opens the spool, if there is to be one.
func (s *Server) openSpool() error {
	if s.SpoolDir == "" {
		return nil
	}
	var err error
	s.spool, err = spool.Open(spool.Config{Dir: s.SpoolDir, Max: s.SpoolMax, Log: s.Log})
	if err != nil {
		return fmt.Errorf("SMSBRIDGE_PUSH_SPOOL_DIR=%s: %w; each process needs a folder of its own that it may write to", s.SpoolDir, err)
	}
	return observeSpool(s.Meter, s.spool.Status)
}

func (s *Server) closeSpool() {
	if s.spool == nil {
		return
	}
	if err := s.spool.Close(); err != nil {
		s.Log.Warn("the spool was not closed in order", slog.Any("error", err))
	}
}

// Spool tells how the spool is; ok is false where there is none.
func (s *Server) Spool() (st spool.Status, ok bool) {
	if s.spool == nil {
		return spool.Status{}, false
	}
	return s.spool.Status(), true
}
