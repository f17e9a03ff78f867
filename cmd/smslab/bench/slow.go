package bench

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"smsbridge/cmd/smslab/lab"
)

// What good pushes are to reach beside slow clients.
const (
	slowClients   = 2000
	goodPerSecond = 200
	crowdGoal     = time.Second // for 99 of 100
	crowdPause    = time.Second // until one that was thrown out is back
)

// crowd is where slow clients stand. Loopback has 16 million addresses, so that
// each can have its own.
type crowd struct {
	name    string
	clients int
	from    func(i int) string
	proxies string // PUSH_TRUSTED_PROXIES
	// unlucky: one address has 64 connections, and who is new there must be quicker
	// than the slow ones come back. No goal, but the provider's kept connections stay.
	unlucky bool
}

// The provider comes from provider; behind a trusted proxy everybody does.
const provider = "127.200.0.1"

var crowds = []crowd{
	{name: "nobody"},
	{name: "of as many addresses", clients: slowClients, from: func(i int) string { return fmt.Sprintf("127.10.%d.%d", i/200, 1+i%200) }},
	{name: "of the provider's address", clients: slowClients, from: func(int) string { return provider }, unlucky: true},
	{name: "of the provider's trusted proxy", clients: slowClients, from: func(int) string { return provider }, proxies: provider + "/32"},
}

// slow measures good pushes beside clients that hold connections and say little.
func (b *bench) slow(ctx context.Context) error {
	b.head(fmt.Sprintf("\npushes beside %d slow clients, %d/s", slowClients, goodPerSecond), "alone", "beside")
	var alone float64
	for _, c := range crowds {
		took, failed, err := b.beside(ctx, c)
		if err != nil {
			return err
		}
		p99 := milliseconds(percentile(took, 0.99))
		if c.clients == 0 {
			alone = p99
			continue
		}
		goals := [2]string{fmt.Sprintf("≤ %d ms", crowdGoal.Milliseconds()), "0"}
		if c.unlucky {
			goals = [2]string{}
		}
		b.row(c.name+": p99", alone, p99, "ms", "", goals[0], c.unlucky || p99 <= milliseconds(crowdGoal))
		b.row(fmt.Sprintf("  not answered 200 of %d", len(took)+failed), 0, float64(failed), "pushes", "", goals[1], c.unlucky || failed == 0)
	}
	return nil
}

// beside returns how long good pushes took, sorted, and how many failed. Half of
// them come on connections that are kept, the others each on a new one.
func (b *bench) beside(ctx context.Context, c crowd) (took []time.Duration, failed int, err error) {
	setup := b.setup(inFlight, 0)
	setup.Roles = []string{"push"}
	setup.Settings["PUSH_TRUSTED_PROXIES"] = c.proxies
	stage, err := lab.Raise(ctx, setup)
	if err != nil {
		return nil, 0, err
	}
	defer stage.Strike()
	_, address, err := b.startServer(ctx, stage, bridge)
	if err != nil {
		return nil, 0, err
	}
	slowly, stop := context.WithCancel(ctx)
	var held atomic.Int64
	var crowd sync.WaitGroup
	defer crowd.Wait()
	defer stop()
	for i := range c.clients {
		crowd.Go(func() { stand(slowly, i, c.from(i), stage.Connectors[0].Push, &held) })
	}
	warm := time.Duration(float64(5*time.Second) * max(b.scale, 0.4))
	if err := lab.Pause(ctx, warm); err != nil {
		return nil, 0, err
	}
	if n := held.Load(); n < int64(c.clients/40) {
		return nil, 0, fmt.Errorf("only %d of %d slow clients are connected", n, c.clients)
	}
	return besides(ctx, address, int(goodPerSecond*max(20*b.scale, 5)))
}

// besides makes n good pushes at an even pace, and waits for each as the provider
// would, however long.
func besides(ctx context.Context, address string, n int) (took []time.Duration, failed int, err error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(provider)}}
	kept, fresh := pushClient(), pushClient()
	for _, client := range []*http.Client{kept, fresh} {
		transport := client.Transport.(*http.Transport) // as pushClient made it
		transport.DialContext, transport.DisableKeepAlives = dialer.DialContext, client == fresh
		defer client.CloseIdleConnections()
	}
	var mu sync.Mutex
	var work sync.WaitGroup
	defer work.Wait()
	ticker := time.NewTicker(time.Second / goodPerSecond)
	defer ticker.Stop()
	for i := range n {
		client := kept
		if i%2 == 1 {
			client = fresh
		}
		work.Go(func() {
			began := time.Now()
			status := pushOne(ctx, client, address, madeUp(int64(i)))
			mu.Lock()
			defer mu.Unlock()
			if status != http.StatusOK {
				failed++
				return
			}
			took = append(took, time.Since(began))
		})
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, 0, context.Cause(ctx)
		}
	}
	work.Wait()
	slices.Sort(took)
	return took, failed, nil
}

// stand is one slow client: connected as long as it is let, and back a short while
// after it was thrown out.
func stand(ctx context.Context, i int, from, to string, held *atomic.Int64) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	for ctx.Err() == nil {
		if conn, err := dialer.DialContext(ctx, "tcp", to); err == nil {
			held.Add(1)
			dawdle(ctx, conn, i)
			held.Add(-1)
		}
		_ = lab.Pause(ctx, crowdPause) // it is over
	}
}

// head names somebody else as the client, as a proxy would: what is guessed wrong
// there is held against nobody here.
const head = "POST /push/report HTTP/1.1\r\nHost: b\r\nX-Forwarded-For: 198.18.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"

// manners are what slow clients say, and then go on with letter by letter.
var manners = []string{
	"",   // half open: nothing at all
	head, // a header without an end
	head + "Content-Length: 4000\r\n\r\nname=",                            // a body without an end
	head + "Content-Length: 200000\r\n\r\n" + strings.Repeat("x", 20_000), // a large one
	"GET / HTTP/1.1\r\nHost: b\r\n\r\n",                                   // idle, after a 404
	wrong(),                                                               // idle, after a 401
}

func wrong() string {
	form := lab.PushForm(false, url.Values{"sendid": {"x"}, "mobile": {"13800000000"}, "state": {"DELIVRD"}})
	return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(form), form)
}

// dawdle holds a connection until it is closed.
func dawdle(ctx context.Context, conn net.Conn, i int) {
	defer conn.Close()                                          //nolint:errcheck // nothing was expected of it
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // ends the read below
	kind := i % len(manners)
	_, err := conn.Write([]byte(manners[kind]))
	if trickles := kind == 1 || kind == 2 || kind == 3; trickles {
		for err == nil && lab.Pause(ctx, time.Second) == nil {
			_, err = conn.Write([]byte("x"))
		}
		return
	}
	for buf := make([]byte, 512); err == nil; { // until it is closed
		_, err = conn.Read(buf)
	}
}
