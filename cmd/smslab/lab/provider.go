package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"smsbridge/cmd/smslab/simulator"
	"smsbridge/cmd/smslab/trial"
)

// Provider is the simulator, spoken to over HTTP.
type Provider struct {
	Process *Process
	base    string
}

// URL is where texts are submitted.
func (p *Provider) URL() string { return p.base + "/sms" }

// Faults changes those faults that the map names.
func (p *Provider) Faults(ctx context.Context, change map[string]any) error {
	return p.post(ctx, "/fault", change)
}

// Say has phones send messages, all in one push.
func (p *Provider) Say(ctx context.Context, messages ...simulator.Message) error {
	return p.post(ctx, "/mo", map[string]any{"messages": messages})
}

func (p *Provider) post(ctx context.Context, path string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return p.call(ctx, http.MethodPost, path, bytes.NewReader(text), func(*json.Decoder) error { return nil })
}

// get reads JSON values one after the other.
func (p *Provider) get(ctx context.Context, path string, read func(*json.Decoder) error) error {
	return p.call(ctx, http.MethodGet, path, http.NoBody, func(d *json.Decoder) error {
		for d.More() {
			if err := read(d); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *Provider) call(ctx context.Context, method, path string, body io.Reader, read func(*json.Decoder) error) error {
	req, err := http.NewRequestWithContext(ctx, method, p.base+path, body)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	if resp.StatusCode >= http.StatusBadRequest {
		why, _ := io.ReadAll(io.LimitReader(resp.Body, 1024))
		return fmt.Errorf("simulator's %s: %s: %s", path, resp.Status, bytes.TrimSpace(why))
	}
	if err := read(json.NewDecoder(resp.Body)); err != nil {
		return fmt.Errorf("simulator's %s: %w", path, err)
	}
	return nil
}

// Stats tells the simulator's counts.
func (p *Provider) Stats(ctx context.Context) (simulator.Stats, error) {
	var s simulator.Stats
	err := p.get(ctx, "/stats", func(d *json.Decoder) error { return d.Decode(&s) })
	return s, err
}

// Quiet waits until every push was answered 200. It gives up when none was for so
// long as patience.
func (p *Provider) Quiet(ctx context.Context, patience time.Duration) error {
	const enough = 3 // looks without a push that waits; one may be under way between two
	least, since := 0, time.Now()
	for still := 0; still < enough; {
		s, err := p.Stats(ctx)
		if err != nil {
			return err
		}
		still++
		if s.Pending > 0 {
			still = 0
		}
		if s.Pending < least || least == 0 {
			least, since = s.Pending, time.Now()
		}
		if time.Since(since) > patience {
			return fmt.Errorf("%w for %v: %d pushes are still to be made", errStill, patience, s.Pending)
		}
		if err := Pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// line is a line of the ledger or of the list of pushes.
type line struct {
	simulator.Entry
	Kind     string              `json:"kind"`
	State    string              `json:"state"`
	Time     string              `json:"time"`
	Messages []simulator.Message `json:"messages"`
	Status   int                 `json:"status"`
	At       time.Time           `json:"at"`
}

// Ledger gives the submits, and when balance calls were answered well.
func (p *Provider) Ledger(ctx context.Context) (submits []trial.Submission, probes []time.Time, err error) {
	err = p.get(ctx, "/ledger", func(d *json.Decoder) error {
		var l line
		if err := d.Decode(&l); err != nil {
			return err
		}
		if l.Type == "balance" {
			if l.Code == "0" && l.Fault == "" {
				probes = append(probes, l.At)
			}
			return nil
		}
		first, _, _ := strings.Cut(l.Mobile, ",")
		submits = append(submits, trial.Submission{
			ID: idOf(l.Content), Number: first, Count: strings.Count(l.Mobile, ",") + 1,
			Code: l.Code, Fault: l.Fault, SendID: l.SendID, At: l.At,
		})
		return nil
	})
	return submits, probes, err
}

// witness writes the provider's side into a history.
func (p *Provider) witness(ctx context.Context, h *trial.History) (err error) {
	if h.Submissions, h.Probes, err = p.Ledger(ctx); err != nil {
		return err
	}
	stats, err := p.Stats(ctx)
	if err != nil {
		return err
	}
	h.Partial = int(stats.Partial)
	return p.get(ctx, "/pushes", func(d *json.Decoder) error {
		var l line
		if err := d.Decode(&l); err != nil {
			return err
		}
		for number := range strings.SplitSeq(l.Mobile, ",") {
			if l.Kind == "report" {
				h.ReportPush = append(h.ReportPush, trial.Push{SendID: l.SendID, State: l.State, Number: number, Time: l.Time, Status: l.Status, At: l.At})
			}
		}
		for _, m := range l.Messages {
			h.InboundPush = append(h.InboundPush, trial.Push{Number: m.Mobile, Text: m.Content, Time: m.Time, Status: l.Status, At: l.At})
		}
		return nil
	})
}

// PushForm is the body of a push: with the right credentials, or with wrong ones.
func PushForm(genuine bool, fields url.Values) string {
	fields.Set("name", pushName)
	fields.Set("pwd", "guessed")
	if genuine {
		fields.Set("pwd", pushPassword)
	}
	return fields.Encode()
}

// Forge makes a push of its own to the connector.
func (c *Connector) Forge(ctx context.Context, kind, form string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.Push+"/push/"+kind, strings.NewReader(form))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}
