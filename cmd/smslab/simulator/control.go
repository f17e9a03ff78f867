package simulator

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
)

// counts are what GET /stats tells.
type counts struct {
	connections, partial atomic.Int64
	mu                   sync.Mutex
	complete             int64
	faults               map[string]int64
}

func (c *counts) request(fault string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.complete++
	if fault != "" {
		if c.faults == nil {
			c.faults = map[string]int64{}
		}
		c.faults[fault]++
	}
}

// Stats counts what happened so far.
type Stats struct {
	Connections int64            `json:"connections"`
	Complete    int64            `json:"complete"` // requests, each a line of the ledger
	Partial     int64            `json:"partial"`  // requests that ended before they were whole
	Faults      map[string]int64 `json:"faults"`
	Balance     int64            `json:"balance"`
	Pushes      int              `json:"pushes"`  // attempts
	Pending     int              `json:"pending"` // pushes that wait for their time
}

// Stats tells what happened so far.
func (p *Provider) Stats() Stats {
	s := Stats{
		Connections: p.counts.connections.Load(), Partial: p.counts.partial.Load(),
		Faults: map[string]int64{}, Balance: p.balance.Load(), Pushes: len(p.pushed.all()),
	}
	p.counts.mu.Lock()
	s.Complete = p.counts.complete
	maps.Copy(s.Faults, p.counts.faults)
	p.counts.mu.Unlock()
	p.pushes.mu.Lock()
	s.Pending = len(p.pushes.heap)
	p.pushes.mu.Unlock()
	return s
}

// control serves everything but the plain calls of /sms.
func (p *Provider) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/sms", p.slow)
	mux.HandleFunc("GET /ledger", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		p.ledger.writeTo(w, from(r))
	})
	mux.HandleFunc("GET /pushes", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		p.pushed.writeTo(w, from(r))
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, p.Stats()) })
	mux.HandleFunc("GET /fault", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, p.Faults()) })
	mux.HandleFunc("POST /fault", func(w http.ResponseWriter, r *http.Request) {
		f := p.Faults()
		if readJSON(w, r, &f) {
			if err := p.SetFaults(f); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			writeJSON(w, p.Faults())
		}
	})
	mux.HandleFunc("POST /mo", func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Messages []Message `json:"messages"`
		}
		if readJSON(w, r, &asked) {
			if len(asked.Messages) == 0 || p.cfg.Push == "" {
				http.Error(w, "no messages, or nowhere to push them to", http.StatusBadRequest)
				return
			}
			p.PushInbound(asked.Messages...)
			w.WriteHeader(http.StatusAccepted)
		}
	})
	return mux
}

// slow answers calls of /sms that the plain path does not read, without faults of
// the connection.
func (p *Provider) slow(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		p.counts.partial.Add(1)
		return
	}
	var f form
	f.parse(r.URL.RawQuery)
	f.parse(string(body))
	v := p.decide(f)
	p.pushes.later(v.reports)
	w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	io.WriteString(w, v.line) //nolint:errcheck // the client has gone
}

func from(r *http.Request) int {
	n, _ := strconv.Atoi(r.URL.Query().Get("from")) // else from the start
	return n
}

func readJSON(w http.ResponseWriter, r *http.Request, v any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v) //nolint:errcheck // the client has gone
}
