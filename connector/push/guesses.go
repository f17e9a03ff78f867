package push

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits of wrong credentials for each address.
const (
	guessBurst   = 100
	guessRate    = rate.Limit(2) // a second, after the burst
	maxParties   = 4096          // addresses remembered, each of two generations
	partyMemory  = time.Hour
	honestPeriod = 10 * time.Minute
)

// guesses limits how often an address may be wrong about the credentials.
// Beyond it everything from there is refused unread. An address that was right
// a short while ago is never held: behind address translation a stranger and
// the provider may look the same, and its pushes come only once.
type guesses struct {
	mu      sync.Mutex
	parties recent[netip.Addr, *guesser]
}

type guesser struct {
	budget *rate.Limiter
	right  time.Time // when it last knew the credentials
}

func newGuesses() *guesses {
	return &guesses{parties: newRecent[netip.Addr, *guesser](partyMemory, maxParties)}
}

// held reports whether addr has used up its guesses.
func (g *guesses) held(addr netip.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	p, ok := g.parties.get(party(addr), now)
	return ok && now.Sub(p.right) >= honestPeriod && p.budget.TokensAt(now) < 1
}

func (g *guesses) wrong(addr netip.Addr, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at(addr, now).budget.AllowN(now, 1)
}

func (g *guesses) right(addr netip.Addr, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at(addr, now).right = now
}

// at finds or makes the entry of addr, and keeps it young.
func (g *guesses) at(addr netip.Addr, now time.Time) *guesser {
	key := party(addr)
	p, ok := g.parties.get(key, now)
	if !ok {
		p = &guesser{budget: rate.NewLimiter(guessRate, guessBurst)}
	}
	g.parties.put(key, p, now)
	return p
}
