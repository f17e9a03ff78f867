package push

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// ended waits until the other side has closed the connection.
func ended(c net.Conn) time.Duration {
	began := time.Now()
	_, _ = io.Copy(io.Discard, c)
	return time.Since(began)
}

func TestSlowClientsDoNotKeepGoodPushesOut(t *testing.T) {
	t.Parallel()
	places := map[string]struct {
		provider string
		slow     func(i int) string
	}{
		"many addresses":            {"203.0.113.1", func(i int) string { return fmt.Sprintf("198.%d.%d.1:1", 18+i/250, i%250) }},
		"the provider's address":    {"203.0.113.1", func(i int) string { return fmt.Sprintf("203.0.113.1:%d", 1000+i) }},
		"the provider's own proxy":  {"10.0.0.1", func(i int) string { return fmt.Sprintf("10.0.0.1:%d", 1000+i) }},
		"the provider's network v6": {"[2001:db8::1]", func(i int) string { return fmt.Sprintf("[2001:db8::%x]:1", 1000+i) }},
	}
	for where, place := range places {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { beside(t, place.provider, place.slow) })
		})
	}
}

// habits of slow clients: what each of them sends, and then nothing.
var habits = []string{
	"",
	"POST /push/report HTTP/1.1\r\nHost: b\r\n",
	"POST /push/report HTTP/1.1\r\nHost: b\r\nContent-Length: 9\r\n\r\nna",
	"POST /push/report HTTP/1.1\r\nHost: b\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", smallBody+1),
	form("/push/report", "name=admin&pwd=x"), // idle after a 401
}

// beside makes good pushes, on connections that are kept and on new ones, while
// slow clients hold what they are let, and come back when they are thrown out.
func beside(t *testing.T, provider string, slow func(i int) string) {
	t.Helper()
	cfg := config(&sink{})
	cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	s, m := inMemory(t, cfg)
	push := func(what string, c net.Conn) {
		began := time.Now()
		if got, err := say(c, form("/push/report", goodReport)); err != nil || got.status != 200 {
			t.Errorf("%s: status %d, %v", what, got.status, err)
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("%s: took %s", what, d)
		}
	}
	known := m.dial(provider + ":1")
	defer known.Close()
	push("first push", known)
	var crowd sync.WaitGroup
	defer crowd.Wait()
	over := make(chan struct{})
	defer close(over)
	for i := range 2000 {
		crowd.Go(func() { dawdle(m, slow(i), habits[i%len(habits)], over) })
	}
	for second := range 3 {
		time.Sleep(time.Second + time.Millisecond) // between two returns of those who were thrown out
		synctest.Wait()
		if n := len(s.conns.open); n > maxConns {
			t.Errorf("%d connections", n)
		}
		push("kept connection", known)
		for i := range 5 {
			c := m.dial(fmt.Sprintf("%s:%d", provider, 100+10*second+i))
			defer c.Close()
			push("new connection", c)
		}
	}
}

// dawdle holds a connection as long as it is let, and is back a second later.
func dawdle(m *memory, from, sent string, over <-chan struct{}) {
	for {
		c := m.dial(from)
		stop := make(chan struct{})
		go func() {
			defer c.Close()
			select {
			case <-over:
			case <-stop:
			}
		}()
		go io.WriteString(c, sent)
		_, _ = io.Copy(io.Discard, c)
		close(stop)
		select {
		case <-over:
			return
		case <-time.After(time.Second):
		}
	}
}

func TestConnectionAtWorkIsNeverClosedForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s, m := inMemory(t, config(&sink{before: func(context.Context, Raw) error { <-release; return nil }}))
		working := m.dial("203.0.113.1:1")
		defer working.Close()
		status := make(chan answer, 1)
		go func() {
			got, _ := say(working, form("/push/report", goodReport))
			status <- got
		}()
		synctest.Wait()
		for i := range 2 * maxConns {
			c := m.dial(fmt.Sprintf("198.%d.%d.1:1", 18+i/250, i%250))
			defer c.Close()
		}
		synctest.Wait()
		if n := len(s.conns.open); n != maxConns {
			t.Errorf("%d connections", n)
		}
		close(release)
		if got := <-status; got.status != 200 {
			t.Errorf("status %d", got.status)
		}
	})
}

func TestConnectionsOfOneAddressAreLimited(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		from  func(i int) string
		limit int
	}{
		"one address":           {func(i int) string { return fmt.Sprintf("203.0.113.1:%d", i+1) }, maxConnsOfParty},
		"one IPv6 network":      {func(i int) string { return fmt.Sprintf("[2001:db8::%x]:1", i+1) }, maxConnsOfParty},
		"one trusted proxy":     {func(i int) string { return fmt.Sprintf("10.0.0.1:%d", i+1) }, 200},
		"many addresses":        {func(i int) string { return fmt.Sprintf("203.0.113.%d:1", i+1) }, 200},
		"many networks of IPv6": {func(i int) string { return fmt.Sprintf("[2001:db8:0:%x::1]:1", i+1) }, 200},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := config(&sink{})
				c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
				s, m := inMemory(t, c)
				for i := range 200 {
					c := m.dial(test.from(i))
					defer c.Close()
				}
				synctest.Wait()
				if n := len(s.conns.open); n != test.limit {
					t.Errorf("%d connections, want %d", n, test.limit)
				}
				// The place of its own oldest one, which says nothing.
				newest := m.dial(test.from(200))
				defer newest.Close()
				if got, err := say(newest, form("/push/report", goodReport)); err != nil || got.status != 200 {
					t.Errorf("newest: status %d, %v", got.status, err)
				}
				if n := len(s.conns.open); n > test.limit+1 {
					t.Errorf("then %d connections", n)
				}
			})
		})
	}
}

func TestConnectionIsRefusedWhenAllOthersOfItsAddressAreAtWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		_, m := inMemory(t, config(&sink{before: func(context.Context, Raw) error { <-release; return nil }}))
		var all sync.WaitGroup
		for i := range maxConnsOfParty {
			c := m.dial(fmt.Sprintf("203.0.113.1:%d", i+1))
			defer c.Close()
			all.Go(func() {
				if got, err := say(c, form("/push/report", goodReport)); err != nil || got.status != 200 {
					t.Errorf("status %d, %v", got.status, err)
				}
			})
		}
		synctest.Wait()
		more := m.dial("203.0.113.1:1000")
		defer more.Close()
		if d := ended(more); d != 0 {
			t.Errorf("closed after %s", d)
		}
		close(release)
		all.Wait()
	})
}

func TestConnectionsAreForgottenWhenTheyClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, m := inMemory(t, config(&sink{}))
		for i := range 50 {
			c := m.dial(fmt.Sprintf("203.0.113.1:%d", i+1))
			if i%2 == 0 {
				if _, err := say(c, form("/push/report", goodReport)); err != nil {
					t.Fatal(err)
				}
			}
			c.Close()
		}
		synctest.Wait()
		c := s.conns
		if len(c.open)+len(c.parties)+c.strangers.Len()+c.known.Len() != 0 {
			t.Errorf("%d open, %d parties, %d strangers, %d known left", len(c.open), len(c.parties), c.strangers.Len(), c.known.Len())
		}
	})
}

func TestSlowClientsAreGivenUp(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		sent string
		want time.Duration
	}{
		"header that does not come": {"", 5 * time.Second},
		"header that does not end":  {"POST /push/report HTTP/1.1\r\n", 5 * time.Second},
		"body that does not end":    {"POST /push/report HTTP/1.1\r\nHost: b\r\nContent-Length: 9\r\n\r\nna", 15 * time.Second},
		"idle":                      {form("/push/report", goodReport), 60 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, m := inMemory(t, config(&sink{}))
				c := m.dial("203.0.113.1:1")
				defer c.Close()
				go io.WriteString(c, test.sent)
				// After an answer to a body cut short net/http waits half a second.
				if got := ended(c); got < test.want || got > test.want+time.Second {
					t.Errorf("closed after %s, want %s", got, test.want)
				}
			})
		})
	}
}

func TestHeaderOfMoreThan16KiBIsRefused(t *testing.T) {
	t.Parallel()
	s := started(t, config(&sink{}))
	if got := s.post(t, "/push/report", goodReport, "X-Large", strings.Repeat("x", 15<<10)); got.status != 200 {
		t.Errorf("15 KiB: status %d", got.status)
	}
	if got := s.post(t, "/push/report", goodReport, "X-Large", strings.Repeat("x", 21<<10)); got.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("21 KiB: status %d", got.status)
	}
}

func TestGeneralOptionsAreNotServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, m := inMemory(t, config(&sink{}))
		c := m.dial("203.0.113.1:1")
		defer c.Close()
		if got, err := say(c, "OPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n"); err != nil || got.status != 404 {
			t.Errorf("status %d, %v", got.status, err)
		}
	})
}

func TestMoreThan512InProgressAreAnswered503(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		kept := &sink{before: func(context.Context, Raw) error { <-release; return nil }}
		_, m := inMemory(t, config(kept))
		var all sync.WaitGroup
		for i := range maxInProgress {
			c := m.dial(fmt.Sprintf("203.0.%d.1:%d", i/50, i%50+1))
			defer c.Close()
			all.Go(func() {
				if got, err := say(c, form("/push/report", goodReport)); err != nil || got.status != 200 {
					t.Errorf("status %d, %v", got.status, err)
				}
			})
		}
		synctest.Wait()
		c := m.dial("198.51.100.1:1")
		defer c.Close()
		got, err := say(c, form("/push/report", goodReport))
		if err != nil || got.status != 503 || got.body != "" {
			t.Errorf("one more: status %d, %v", got.status, err)
		}
		close(release)
		all.Wait()
		if got, err = say(c, form("/push/report", goodReport)); err != nil || got.status != 200 {
			t.Errorf("afterwards: status %d, %v", got.status, err)
		}
	})
}

func TestLargeBodiesOfStrangersCrowdOutOnlyLargeOnes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, m := inMemory(t, config(&sink{}))
		for i := range maxLarge {
			c := m.dial(fmt.Sprintf("198.18.%d.1:1", i))
			defer c.Close()
			go io.WriteString(c, "POST /push/report HTTP/1.1\r\nHost: b\r\nContent-Length: 200000\r\n\r\n"+strings.Repeat("x", 100000))
		}
		synctest.Wait()
		large := goodReport + "&x=" + strings.Repeat("x", smallBody)
		for body, status := range map[string]int{goodReport: 200, large: 503} {
			c := m.dial(fmt.Sprintf("203.0.113.1:%d", status))
			defer c.Close()
			if got, err := say(c, form("/push/report", body)); err != nil || got.status != status {
				t.Errorf("%d bytes: status %d, %v", len(body), got.status, err)
			}
		}
		time.Sleep(readTimeout + time.Second)
		c := m.dial("203.0.113.1:1")
		defer c.Close()
		if got, err := say(c, form("/push/report", large)); err != nil || got.status != 200 {
			t.Errorf("afterwards: status %d, %v", got.status, err)
		}
	})
}

func TestGuessesAreCountedForEachAddress(t *testing.T) {
	t.Parallel()
	now := time.Unix(1700000000, 0)
	guesser, neighbour := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2")
	g := newGuesses()
	for range guessBurst {
		if g.held(guesser, now) {
			t.Fatal("held before the burst was used up")
		}
		g.wrong(guesser, now)
	}
	if !g.held(guesser, now) {
		t.Error("not held after the burst")
	}
	if g.held(neighbour, now) {
		t.Error("a neighbour is held")
	}
	if g.held(guesser, now.Add(time.Second)) {
		t.Error("still held after a second")
	}
	if !g.held(guesser, now.Add(100*time.Millisecond)) {
		t.Error("not held after a tenth of a second")
	}
}

func TestRightPushIsNeverRefusedForOthersGuesses(t *testing.T) {
	t.Parallel()
	kept := &sink{}
	s := started(t, config(kept))
	wrong := strings.Replace(goodReport, "sesame", "Sesame", 1)
	for range 3 * guessBurst {
		s.guesses.wrong(netip.MustParseAddr("127.0.0.1"), time.Now())
	}
	if got := s.post(t, "/push/report", wrong); got.status != 401 || got.body != "" {
		t.Errorf("guess: status %d", got.status)
	}
	for path, body := range map[string]string{"/push/report": goodReport, "/push/inbound": goodInbound} {
		if got := s.post(t, path, body); got.status != 200 {
			t.Errorf("%s: status %d, of the first push from there that was right", path, got.status)
		}
	}
	if reports, inbound, _ := kept.counts(); reports != 1 || inbound != 1 {
		t.Errorf("%d reports and %d messages were kept", reports, inbound)
	}
}

func TestGuessBeyondTheLimitCostsItsConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, m := inMemory(t, config(&sink{}))
		c := m.dial("203.0.113.1:1")
		defer c.Close()
		wrong := form("/push/report", "name=admin&pwd=guess")
		for range 2 {
			if got, err := say(c, wrong); err != nil || got.status != 401 {
				t.Fatalf("%+v, %v", got, err)
			}
		}
		for range guessBurst {
			s.guesses.wrong(netip.MustParseAddr("203.0.113.1"), time.Now())
		}
		if got, err := say(c, wrong); err != nil || got.status != 401 {
			t.Errorf("%+v, %v", got, err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the connection goes on: %v", err)
		}
	})
}

func TestAnswerIsNotLostForABodyThatNobodyNeeds(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]int{"/nothing": 404, "/push/report": 413} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, m := inMemory(t, config(&sink{}))
				c := m.dial("203.0.113.1:1")
				defer c.Close()
				body := strings.Repeat("x", map[int]int{404: 100 << 10, 413: maxBody + 1}[want])
				request := strings.Replace(form(path, body), "Host:", "Connection: close\r\nHost:", 1)
				wrote := make(chan error, 1)
				go func() {
					_, err := io.WriteString(c, request)
					wrote <- err
				}()
				if err := <-wrote; err != nil {
					t.Fatalf("closed before the body was written: %v", err)
				}
				if got, err := hear(c); err != nil || got.status != want {
					t.Errorf("status %d, %v", got.status, err)
				}
			})
		})
	}
}

func TestHugeBodyIsAnswered413BeforeItsEnd(t *testing.T) {
	t.Parallel()
	s := started(t, config(&sink{}))
	if got := s.post(t, "/push/report", strings.Repeat("x", 16<<20)); got.status != 413 {
		t.Errorf("status %d", got.status)
	}
}

func TestRefusalsDoNotFillTheLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newSometimes(slog.New(slog.NewTextHandler(&log, nil)))
	now := time.Unix(1700000000, 0)
	for i := range 1000 {
		s.warn(t.Context(), "a", now.Add(time.Duration(i)*time.Millisecond), "push refused")
	}
	s.warn(t.Context(), "b", now, "push not durable")
	s.warn(t.Context(), "a", now.Add(quietPeriod), "push refused")
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[2], "untold=999") {
		t.Errorf("log: %s", log.String())
	}
}

func labels(set attribute.Set) string {
	var values []string
	for _, label := range set.ToSlice() {
		values = append(values, label.Value.AsString())
	}
	return strings.Join(values, " ")
}

func TestOutcomesAreCounted(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	c := config(&sink{})
	c.Meter = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	s := started(t, c)
	s.post(t, "/push/report", goodReport)
	s.post(t, "/push/report", "name=x")
	s.post(t, "/push/inbound", "name=admin&pwd=open-sesame")
	s.post(t, "/nothing", "")

	var got metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	for _, m := range got.ScopeMetrics[0].Metrics {
		if sum, ok := m.Data.(metricdata.Sum[int64]); ok {
			for _, p := range sum.DataPoints {
				if p.Value > 0 { // what alerts watch begins at 0
					counts[m.Name+" "+labels(p.Attributes)] = p.Value
				}
			}
		}
	}
	want := map[string]int64{
		"smsbridge.push.requests report accepted":     1,
		"smsbridge.push.requests report refused":      1,
		"smsbridge.push.requests inbound dead_letter": 1,
		"smsbridge.push.requests none not_found":      1,
		"smsbridge.push.refusals wrong_credentials":   1,
	}
	if fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("counted %v, want %v", counts, want)
	}
}
