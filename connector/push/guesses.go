package push

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits of wrong credentials for each address.
const (
	guessBurst  = 100
	guessRate   = rate.Limit(2) // a second, after the burst
	maxParties  = 4096          // addresses remembered, each of two generations
	partyMemory = time.Hour
)

// guesses counts how often an address was wrong about the credentials. Beyond the
// limit each wrong push costs its connection, and is told as a guess. Nobody is
// refused unread: the provider's push comes only once, and may come from the
// address of whoever guesses.
type guesses struct {
	mu      sync.Mutex
	parties recent[netip.Addr, *rate.Limiter]
}

func newGuesses() *guesses {
	return &guesses{parties: newRecent[netip.Addr, *rate.Limiter](partyMemory, maxParties)}
}

// held reports whether addr has used up its guesses.
func (g *guesses) held(addr netip.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	budget, ok := g.parties.get(party(addr), now)
	return ok && budget.TokensAt(now) < 1
}

func (g *guesses) wrong(addr netip.Addr, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := party(addr)
	budget, ok := g.parties.get(key, now)
	if !ok {
		budget = rate.NewLimiter(guessRate, guessBurst)
	}
	g.parties.put(key, budget, now) // which keeps it young
	budget.AllowN(now, 1)
}
