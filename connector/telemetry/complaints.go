package telemetry

import (
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/go-logr/logr"
)

// complaintEvery is how often OpenTelemetry is heard. A collector that is away
// fails with every export, and its absence is no news after the first time.
const complaintEvery = time.Minute

var urls = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"']+`)

// complaints passes on what OpenTelemetry has to say: rarely, and without the
// URLs, headers and files that its messages may hold. It is its error handler
// and the sink of its log.
type complaints struct {
	log *slog.Logger

	mu     sync.Mutex
	last   time.Time
	missed int // since last
}

var _ logr.LogSink = (*complaints)(nil)

// Handle takes an error of an exporter or of the SDK.
func (c *complaints) Handle(err error) {
	c.mu.Lock()
	if !c.last.IsZero() && time.Since(c.last) < complaintEvery {
		c.missed++
		c.mu.Unlock()
		return
	}
	missed := c.missed
	c.last, c.missed = time.Now(), 0
	c.mu.Unlock()
	c.log.Warn("telemetry export has a problem", "error", urls.ReplaceAllString(err.Error(), "URL"), "unheard", missed)
}

// Error takes an error of the SDK's log, without the values beside it.
func (c *complaints) Error(err error, message string, _ ...any) {
	if err == nil {
		return
	}
	c.Handle(&complaint{message, err})
}

type complaint struct {
	message string
	err     error
}

func (c *complaint) Error() string { return c.message + ": " + c.err.Error() }
func (c *complaint) Unwrap() error { return c.err }

// The rest of the log is not kept.

func (c *complaints) Init(logr.RuntimeInfo)          {}
func (c *complaints) Enabled(int) bool               { return false }
func (c *complaints) Info(int, string, ...any)       {}
func (c *complaints) WithValues(...any) logr.LogSink { return c }
func (c *complaints) WithName(string) logr.LogSink   { return c }
