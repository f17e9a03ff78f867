package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Admin is the listener for operators and their tools. It answers to reads
// alone and knows no login: its address must not be public.
type Admin struct {
	Listen   string        // host:port
	Status   func() Status // of now; must not block
	Ready    func() error  // nil, or why this process cannot do its work
	Gatherer prometheus.Gatherer
	Problems *Problems // may be nil
	Log      *slog.Logger
}

// leaveWithin bounds the wait for answers under way when the listener is closed.
const leaveWithin = 2 * time.Second

// Run listens and serves until ctx ends. An error means that the address could
// not be had or that the listener broke.
func (a *Admin) Run(ctx context.Context) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", a.Listen)
	if err != nil {
		return fmt.Errorf("SMSBRIDGE_ADMIN_LISTEN=%s: %w; choose a free address of this machine", a.Listen, err)
	}
	a.Log.Info("admin listener is open", "address", listener.Addr().String())
	return a.serve(ctx, listener)
}

func (a *Admin) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           a.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(a.Log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1) // the one error of Serve, whether or not it is still awaited
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("admin listener: %w", err)
	case <-ctx.Done():
	}
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
	defer cancel()
	if err := server.Shutdown(leave); err != nil {
		err = server.Close() // somebody reads too slowly to be waited for
		if err != nil {
			return fmt.Errorf("admin listener: %w", err)
		}
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin listener: %w", err)
	}
	return nil
}

// Handler serves /healthz, /readyz, /metrics, /api/status and the page at /.
func (a *Admin) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "text/plain", "ok\n") })
	mux.HandleFunc("GET /readyz", a.ready)
	mux.HandleFunc("GET /api/status", a.status)
	mux.HandleFunc("GET /{$}", a.page)
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.Gatherer, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, // one bad metric must not hide the others
	}))
	return mux
}

func (a *Admin) ready(w http.ResponseWriter, _ *http.Request) {
	if err := a.Ready(); err != nil {
		answer(w, http.StatusServiceUnavailable, "text/plain", err.Error()+"\n")
		return
	}
	answer(w, http.StatusOK, "text/plain", "ready\n")
}

// view is the status with what the listener adds to it.
type view struct {
	Status
	Ready    bool `json:"ready"`
	NotReady Text `json:"not_ready"` // why
	At       Time `json:"at"`
}

func (a *Admin) view() view {
	v := view{Status: a.Status(), Ready: true, At: Time(time.Now())}
	v.Problems = a.Problems.Latest()
	if v.Partitions == nil {
		v.Partitions = []Partition{} // [] and not null
	}
	if v.Outcomes == nil {
		v.Outcomes = []Outcome{}
	}
	if err := a.Ready(); err != nil {
		v.Ready, v.NotReady = false, Text(err.Error())
	}
	return v
}

func (a *Admin) status(w http.ResponseWriter, _ *http.Request) {
	text, err := json.MarshalIndent(a.view(), "", "  ")
	if err != nil {
		a.fail(w, err)
		return
	}
	answer(w, http.StatusOK, "application/json", string(text)+"\n")
}

func (a *Admin) fail(w http.ResponseWriter, err error) {
	a.Log.Error("status cannot be shown", "error", err)
	answer(w, http.StatusInternalServerError, "text/plain", "status cannot be shown, see the log\n")
}

func answer(w http.ResponseWriter, code int, kind, body string) {
	header := w.Header()
	header.Set("Content-Type", kind+"; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", policy)
	header.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, body) // the reader may have gone; nobody else misses it
}
