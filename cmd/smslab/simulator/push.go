package simulator

import (
	"cmp"
	"container/heap"
	"context"
	"crypto/md5"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"smsbridge/codec/wire"
)

const (
	// defaultConnections is what the connector takes from one address.
	defaultConnections = 64
	pushTimeout        = 10 * time.Second
	// A push is repeated until it is answered 200, by the same bytes as long as
	// the receiver can still accept their timestamp.
	firstRetry, lastRetry = time.Second, 30 * time.Second
	bodyAge               = time.Minute
)

// PushAuth is how pushes prove who they are from.
type PushAuth struct {
	Mode           string // static, md5 or none
	Name, Password string
	Secret         string // md5: the AccessSecret
	Token          string // secret path segment; may be empty
}

// push is one call to the connector, until it is answered 200.
type push struct {
	kind                  string // report or inbound
	sendID, mobile, state string // of a report
	done                  string // of a report: the time that it tells, the same in every attempt
	args                  string // of an inbound one
	said                  []Message
	delay                 time.Duration
	storm                 time.Duration // due with all others of its kind, so often; 0: alone
	again                 time.Duration // the very same push once more, so long after the first attempt; 0: never
	due                   time.Time
	attempt               int
	body                  string
	built                 time.Time
	raw, query            bool
	tried                 func() // called after the first attempt; may be nil
}

// PushEntry is one attempt at a push. Status is 0 when there was no answer.
type PushEntry struct {
	Kind     string    `json:"kind"`
	SendID   string    `json:"sendid,omitempty"`
	Mobile   string    `json:"mobile,omitempty"`
	State    string    `json:"state,omitempty"`
	Time     string    `json:"time,omitempty"`     // of a report, in Shanghai
	Messages []Message `json:"messages,omitempty"` // of an inbound one
	Attempt  int       `json:"attempt"`
	Status   int       `json:"status"`
	At       stamp     `json:"at"`
}

// pusher keeps the pushes in order of their time and makes them.
type pusher struct {
	base   string
	auth   PushAuth
	client *http.Client
	record *journal[PushEntry]
	most   int // connections

	mu   sync.Mutex
	heap pushHeap
	wake chan struct{} // of size 1: something earlier was queued
}

func newPusher(cfg *Config, record *journal[PushEntry]) *pusher {
	most := cmp.Or(cfg.PushConnections, defaultConnections)
	return &pusher{
		base: strings.TrimSuffix(cfg.Push, "/"), auth: cfg.PushAuth, record: record, most: most,
		client: &http.Client{Transport: &http.Transport{
			MaxIdleConns: most, MaxIdleConnsPerHost: most, IdleConnTimeout: 3 * time.Second, DialContext: cfg.PushDial,
		}},
		wake: make(chan struct{}, 1),
	}
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// later queues pushes, each after its delay from now.
func (s *pusher) later(pushes []*push) {
	if len(pushes) == 0 {
		return
	}
	now := time.Now()
	s.mu.Lock()
	for _, u := range pushes {
		u.due = now.Add(u.delay)
		if u.storm > 0 {
			u.due = u.due.Truncate(u.storm).Add(u.storm)
		}
		heap.Push(&s.heap, u)
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// now makes pushes at once and waits until each was tried, or ctx ends.
func (s *pusher) now(ctx context.Context, pushes []*push) {
	var tried sync.WaitGroup
	for _, u := range pushes {
		tried.Add(1)
		u.delay, u.storm, u.tried = 0, 0, tried.Done
	}
	s.later(pushes)
	done := make(chan struct{})
	go func() { tried.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// run makes the pushes until ctx ends.
func (s *pusher) run(ctx context.Context) {
	work := make(chan *push)
	var workers sync.WaitGroup
	for range s.most {
		workers.Go(func() {
			for u := range work {
				s.attempt(ctx, u)
			}
		})
	}
	for u := s.next(ctx); u != nil; u = s.next(ctx) {
		work <- u
	}
	close(work)
	workers.Wait()
	s.client.CloseIdleConnections()
}

// next waits for the push whose time has come; nil when ctx ends.
func (s *pusher) next(ctx context.Context) *push {
	for {
		wait := time.Hour
		s.mu.Lock()
		if len(s.heap) > 0 {
			if wait = time.Until(s.heap[0].due); wait <= 0 {
				u := heap.Pop(&s.heap).(*push)
				s.mu.Unlock()
				return u
			}
		}
		s.mu.Unlock()
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-s.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (s *pusher) attempt(ctx context.Context, u *push) {
	now := time.Now()
	if u.kind == "report" && u.done == "" {
		u.done = now.In(wire.Zone).Format(time.DateTime)
	}
	if u.body == "" || now.Sub(u.built) > bodyAge {
		u.body, u.built = s.build(u, now), now
	}
	if u.again > 0 {
		repeat := *u
		repeat.delay, repeat.storm, repeat.again, repeat.tried, u.again = u.again, 0, 0, nil, 0
		s.later([]*push{&repeat})
	}
	u.attempt++
	status := s.post(ctx, u)
	s.record.add(PushEntry{
		Kind: u.kind, SendID: u.sendID, Mobile: u.mobile, State: u.state, Time: u.done, Messages: u.said,
		Attempt: u.attempt, Status: status, At: stamp{now},
	})
	if u.attempt == 1 && u.tried != nil {
		u.tried()
	}
	if status != http.StatusOK && ctx.Err() == nil {
		u.delay, u.storm = min(firstRetry<<min(u.attempt-1, 10), lastRetry), 0
		s.later([]*push{u})
	}
}

// post makes one attempt; 0 when there was no answer.
func (s *pusher) post(ctx context.Context, u *push) int {
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	address := s.base + "/push/"
	if s.auth.Token != "" {
		address += s.auth.Token + "/"
	}
	address += u.kind
	body := u.body
	if u.query {
		address, body = address+"?"+body, ""
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()                                //nolint:errcheck // it was read
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) //nolint:errcheck // the status is the answer
	return resp.StatusCode
}

// build writes the fields as the provider's document has them.
func (s *pusher) build(u *push, now time.Time) string {
	encode := url.QueryEscape
	if u.raw && !u.query { // a query cannot hold raw bytes
		encode = func(s string) string { return s }
	}
	var b strings.Builder
	field := func(name, value string) {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(name + "=" + encode(value))
	}
	switch s.auth.Mode {
	case "md5":
		random, timestamp := strconv.FormatUint(rand.Uint64(), 36), strconv.FormatInt(now.UnixMilli(), 10)
		digest := md5.Sum([]byte(s.auth.Secret + random + timestamp))
		field("name", hex.EncodeToString(digest[:]))
		field("pwd", s.auth.Password)
		field("random", random)
		field("timestamp", timestamp)
	default:
		field("name", s.auth.Name)
		field("pwd", s.auth.Password)
	}
	if u.kind == "inbound" {
		field("args", u.args)
		return b.String()
	}
	field("sendid", u.sendID)
	field("time", u.done)
	field("mobile", u.mobile)
	field("state", u.state)
	return b.String()
}

// pushHeap has the push with the earliest time on top.
type pushHeap []*push

func (h pushHeap) Len() int           { return len(h) }
func (h pushHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h pushHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is heap.Interface's.
func (h *pushHeap) Push(x any) { *h = append(*h, x.(*push)) }

// Pop is heap.Interface's.
func (h *pushHeap) Pop() any {
	old := *h
	u := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return u
}
