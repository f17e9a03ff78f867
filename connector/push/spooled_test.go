package push

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/codec/wire"
)

// outage is a sink that can be away: then it answers to nobody until they give up.
type outage struct {
	sink
	away atomic.Bool
}

func newOutage() *outage {
	o := &outage{}
	o.before = func(ctx context.Context, _ Raw) error {
		if !o.away.Load() {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}
	return o
}

func (o *outage) states() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []string
	for _, r := range o.reports {
		all = append(all, r.State)
	}
	return all
}

func withSpool(t *testing.T, s Sink) Config {
	t.Helper()
	c := config(s)
	c.SpoolDir, c.SpoolMax = filepath.Join(t.TempDir(), "spool"), 1<<20
	return c
}

// pushed pushes a report and says how long its 200 took.
func pushed(t *testing.T, m *memory, state string) time.Duration {
	t.Helper()
	c := m.dial("203.0.113.1:1")
	defer c.Close()
	began := time.Now()
	got, err := say(c, form("/push/report", strings.Replace(goodReport, "DELIVRD", state, 1)))
	if err != nil || got.status != 200 || got.body != "OK" {
		t.Errorf("%s: status %d, %v", state, got.status, err)
	}
	return time.Since(began)
}

func TestPushesWaitOnDiskInOrderWhileKafkaIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		kept := newOutage()
		kept.away.Store(true)
		s, m := inMemory(t, withSpool(t, kept))
		want := []string{"FIRST", "SECOND", "THIRD"}
		if d := pushed(t, m, "FIRST"); d != durability {
			t.Errorf("first 200 after %s", d)
		}
		received := time.Now().Add(-durability)
		for _, state := range want[1:] {
			if d := pushed(t, m, state); d != 0 {
				t.Errorf("%s waited %s for Kafka", state, d)
			}
		}
		if st, ok := s.Spool(); !ok || st.Waiting != 3 || st.Failing != nil || st.Oldest.IsZero() {
			t.Errorf("status %+v", st)
		}
		kept.away.Store(false)
		time.Sleep(2 * drainPatience)
		if got := kept.states(); !slices.Equal(got, want) {
			t.Errorf("published %q", got)
		}
		if got := kept.raws[0].ReceivedAt; !got.Equal(received) {
			t.Errorf("received at %s, not %s", got, received)
		}
		if d := pushed(t, m, "FOURTH"); d != 0 {
			t.Errorf("FOURTH took %s", d)
		}
		if st, _ := s.Spool(); st.Waiting != 0 || st.Bytes != 0 {
			t.Errorf("status %+v when all is published", st)
		}
	})
}

func TestWhatIsInTheSpoolStaysForTheNextStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		kept := newOutage()
		kept.away.Store(true)
		c := withSpool(t, kept)
		m := newMemory()
		s, err := newServer(c, m)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.openSpool(); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		pushed(t, m, "FIRST")
		pushed(t, m, "SECOND")
		began := time.Now()
		stop()
		if err := <-ended; err != nil || time.Since(began) > time.Second {
			t.Fatalf("stopped after %s: %v", time.Since(began), err)
		}
		kept.away.Store(false)
		inMemory(t, c)
		synctest.Wait()
		for began := time.Now(); len(kept.states()) < 2 && time.Since(began) < time.Minute; {
			time.Sleep(time.Second) // the disk takes none of the clock's time
		}
		if got := kept.states(); !slices.Equal(got, []string{"FIRST", "SECOND"}) {
			t.Errorf("published %q", got)
		}
	})
}

func TestNoCredentialsStandOnTheDisk(t *testing.T) {
	t.Parallel()
	kept := newOutage()
	kept.before = func(context.Context, Raw) error { return errAway }
	c := withSpool(t, kept)
	s := started(t, c)
	for _, path := range []string{"/push/report", "/push/report?name=admin&pwd=open-sesame", "/push/inbound"} {
		if got := s.post(t, path, goodReport+"&pwd=open-sesame"); got.status != 200 {
			t.Fatalf("status %d", got.status)
		}
	}
	segments, err := filepath.Glob(filepath.Join(c.SpoolDir, "*.spool"))
	if err != nil || len(segments) == 0 {
		t.Fatal(segments, err)
	}
	for _, segment := range segments {
		data, err := os.ReadFile(segment)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range strings.Split(string(data), `{"kind"`)[1:] {
			record := `{"kind"` + r[:strings.IndexByte(r, '}')+1]
			raw := s.readSpooled([]byte(record))
			if text := string(raw.Body) + raw.Query + record; strings.Contains(text, "sesame") || strings.Contains(text, "admin") || !strings.Contains(text, "DELIVRD") {
				t.Errorf("kept %s", text)
			}
		}
	}
}

// What waits on disk is read as it was when it came.
func FuzzSpooledPush(f *testing.F) {
	for _, seed := range []string{goodReport, goodInbound, "name=admin&state=X&state=Y", goodInbound + "%23%40%40%23cut"} {
		f.Add(true, "application/x-www-form-urlencoded", []byte(seed), "x=1")
		f.Add(false, "text/plain; charset=gbk", []byte(seed), "name=admin&pwd=open-sesame")
	}
	f.Add(false, "\xff", []byte("name=n&args=13800210021#@#\xc4\xe3#@#2013-08-21 21:20:11#@#"), "\xfe")
	f.Fuzz(func(t *testing.T, report bool, contentType string, body []byte, query string) {
		s, err := newServer(config(&sink{}), newMemory())
		if err != nil {
			t.Fatal(err)
		}
		raw := Raw{Kind: Inbound, ReceivedAt: time.Unix(1700000000, 123456789), Push: wire.Push{ContentType: contentType, Body: body, Query: query}}
		if report {
			raw.Kind = Report
		}
		_, want := s.read(raw)
		record, err := encodeSpooled(want)
		if err != nil {
			t.Fatal(err)
		}
		got := s.readSpooled(record)
		if got.Report != nil && want.Report != nil {
			want.Report.Credentials = got.Report.Credentials // a fuzz target of its own
		}
		for i := range got.Inbound { // another name for the same time
			got.Inbound[i].ReceivedAt = want.Inbound[min(i, len(want.Inbound)-1)].ReceivedAt
		}
		if !got.ReceivedAt.Equal(raw.ReceivedAt) || got.Kind != raw.Kind || got.ContentType != raw.ContentType ||
			!reflect.DeepEqual(got.Report, want.Report) || !reflect.DeepEqual(got.Unreadable, want.Unreadable) ||
			fmt.Sprint(got.Inbound) != fmt.Sprint(want.Inbound) {
			t.Errorf("read %+v, then %+v", want, got)
		}
	})
}

func TestDeadLettersWaitOnDiskToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		kept := newOutage()
		kept.away.Store(true)
		_, m := inMemory(t, withSpool(t, kept))
		requests := []string{
			form("/push/report", strings.TrimSuffix(goodReport, "&state=DELIVRD")),
			form("/push/report", goodReport+"&state=UNDELIV"),
			form("/push/inbound", goodInbound+"%23%40%40%2313800000002%23%40%23cut"),
			"POST /push/report HTTP/1.1\r\nHost: b\r\nContent-Length: 900\r\n\r\n" + goodReport, // cut
		}
		for i, request := range requests {
			c := m.dial(fmt.Sprintf("203.0.113.1:%d", i+1))
			defer c.Close()
			if got, err := say(c, request); err != nil || got.status != 200 {
				t.Fatalf("%d: status %d, %v", i, got.status, err)
			}
		}
		kept.away.Store(false)
		time.Sleep(2 * drainPatience)
		if reports, inbound, letters := kept.counts(); reports != 0 || inbound != 1 || letters != 4 {
			t.Fatalf("%d reports, %d messages, %d dead letters", reports, inbound, letters)
		}
		if last := kept.letters[3]; last.cause != errCut.Error() {
			t.Errorf("the cut one says %q", last.cause)
		}
	})
}

func TestPushThatTheSpoolCannotKeepIsAnswered503(t *testing.T) {
	t.Parallel()
	kept := newOutage()
	kept.before = func(context.Context, Raw) error { return errAway }
	c := withSpool(t, kept)
	c.SpoolMax = 4 << 10
	s := started(t, c)
	for _, step := range []struct {
		body string
		want int
	}{{goodReport, 200}, {goodReport + "&x=" + strings.Repeat("x", 4<<10), 503}, {goodReport, 200}} {
		if got := s.post(t, "/push/report", step.body); got.status != step.want {
			t.Errorf("%d bytes: status %d, want %d", len(step.body), got.status, step.want)
		}
	}
	if st, _ := s.Spool(); st.Failing == nil || st.Waiting != 2 {
		t.Errorf("status %+v", st)
	}
}

func TestDigestIsUsedUpByA200FromTheSpool(t *testing.T) {
	t.Parallel()
	kept := newOutage()
	kept.before = func(context.Context, Raw) error { return errAway }
	c := withSpool(t, kept)
	c.Auth = Auth{Mode: MD5, AccessSecret: fixed("secret")}
	s := started(t, c)
	push := signedReport(t, "DELIVRD")
	for _, step := range []struct {
		body string
		want int
	}{{push, 200}, {push, 200}, {strings.Replace(push, "DELIVRD", "UNDELIV", 1), 401}} {
		if got := s.post(t, "/push/report", step.body); got.status != step.want {
			t.Errorf("status %d, want %d", got.status, step.want)
		}
	}
	if st, _ := s.Spool(); st.Waiting != 1 {
		t.Errorf("%d wait", st.Waiting)
	}
}

func TestOnePushThatCannotBePublishedHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		kept := newOutage()
		kept.away.Store(true)
		away, bad := kept.before, 0
		kept.before = func(ctx context.Context, raw Raw) error {
			if err := away(ctx, raw); err != nil {
				return err
			}
			if strings.Contains(string(raw.Body), "BAD") {
				if bad++; bad <= 2 { // with the others, then alone
					panic(errors.New("13800000001"))
				}
			}
			return nil
		}
		_, m := inMemory(t, withSpool(t, kept))
		for _, state := range []string{"FIRST", "BAD", "LAST"} {
			pushed(t, m, state)
		}
		kept.away.Store(false)
		time.Sleep(2 * drainPatience)
		if _, _, letters := kept.counts(); letters != 1 || !slices.Equal(kept.states(), []string{"FIRST", "LAST"}) {
			t.Errorf("%d dead letters, published %q", letters, kept.states())
		}
	})
}

func TestSpoolOfAnotherServerIsToldWithItsVariable(t *testing.T) {
	t.Parallel()
	c := withSpool(t, &sink{})
	started(t, c)
	_, err := Listen(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "SMSBRIDGE_PUSH_SPOOL_DIR") || !strings.Contains(err.Error(), "folder of its own") {
		t.Errorf("error %v", err)
	}
}
