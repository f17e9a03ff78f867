package push

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// quietPeriod is how long a fact that was logged is only counted.
const quietPeriod = 10 * time.Second

// sometimes logs each fact at the most once in a quietPeriod, with how often
// it was left out before: a stranger must not be able to fill the disk. The
// facts are enumerations of this package, so their number is bounded.
type sometimes struct {
	log *slog.Logger

	mu    sync.Mutex
	facts map[string]*fact
}

type fact struct {
	told   time.Time
	untold int
}

func newSometimes(log *slog.Logger) *sometimes {
	return &sometimes{log: log, facts: map[string]*fact{}}
}

func (s *sometimes) warn(ctx context.Context, key string, now time.Time, msg string, attrs ...slog.Attr) {
	untold, tell := s.count(key, now)
	if !tell {
		return
	}
	if untold > 0 {
		attrs = append(attrs, slog.Int("untold", untold))
	}
	s.log.LogAttrs(ctx, slog.LevelWarn, msg, attrs...) //nolint:sloglint // the message is a constant of the caller
}

func (s *sometimes) count(key string, now time.Time) (untold int, tell bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.facts[key]
	if f == nil {
		f = &fact{}
		s.facts[key] = f
	}
	if now.Sub(f.told) < quietPeriod {
		f.untold++
		return 0, false
	}
	untold, f.untold, f.told = f.untold, 0, now
	return untold, true
}
