package simulator

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/codec/wire"
)

// receiver is the connector's public listener as the simulator sees it.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status []int // answers in turn, then 200
	got    chan received
}

type received struct {
	path, query, body string
	form              url.Values
}

func receive(t *testing.T, status ...int) *receiver {
	t.Helper()
	r := &receiver{status: status, got: make(chan received, 100)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body := new(strings.Builder)
		if _, err := io.Copy(body, req.Body); err != nil {
			return
		}
		form, _ := url.ParseQuery(body.String() + "&" + req.URL.RawQuery)
		r.mu.Lock()
		answer := 200
		if len(r.status) > 0 {
			answer, r.status = r.status[0], r.status[1:]
		}
		r.mu.Unlock()
		w.WriteHeader(answer)
		r.got <- received{path: req.URL.Path, query: req.URL.RawQuery, body: body.String(), form: form}
	}))
	t.Cleanup(r.Close)
	return r
}

func TestReportComesForEveryAcceptedNumber(t *testing.T) {
	t.Parallel()
	r := receive(t)
	p := start(t, Config{
		Push: r.URL, PushAuth: PushAuth{Mode: "static", Name: "admin", Password: "x", Token: "tok"},
		Reports: Reports{Share: 1, Group: 2}, BlackSuffix: "99",
	})
	say(t, p, post(strings.Replace(submit, number, "13800000001,13800000002,13800000003,13800000099", 1)))
	sendID := p.ledger.all()[0].SendID
	states := map[string]string{}
	pushes := 0
	for len(states) < 4 {
		got := <-r.got
		pushes++
		if got.path != "/push/tok/report" || got.form.Get("name") != "admin" || got.form.Get("pwd") != "x" || got.form.Get("sendid") != sendID {
			t.Errorf("%+v", got)
		}
		for number := range strings.SplitSeq(got.form.Get("mobile"), ",") {
			states[number] = got.form.Get("state")
		}
	}
	if states["13800000001"] != "DELIVRD" || states["13800000099"] != "DTBLACK" || pushes != 3 {
		t.Errorf("%v in %d pushes", states, pushes)
	}
}

func TestPushIsSignedByTheDocumentsDigest(t *testing.T) {
	t.Parallel()
	r := receive(t)
	p := start(t, Config{Push: r.URL, PushAuth: PushAuth{Mode: "md5", Secret: "secret"}, Reports: Reports{Share: 1}})
	say(t, p, post(submit))
	form := (<-r.got).form
	sum := md5.Sum([]byte("secret" + form.Get("random") + form.Get("timestamp")))
	if form.Get("name") != hex.EncodeToString(sum[:]) || len(form.Get("timestamp")) != 13 {
		t.Errorf("%v", form)
	}
}

func TestPushIsRepeatedUntilItIsTaken(t *testing.T) {
	t.Parallel()
	r := receive(t, 503)
	p := start(t, Config{Push: r.URL, PushAuth: PushAuth{Mode: "md5", Secret: "secret"}, Reports: Reports{Share: 1}})
	say(t, p, post(submit))
	first, second := <-r.got, <-r.got
	if first.body != second.body {
		t.Errorf("%q, then %q", first.body, second.body)
	}
	for len(p.pushed.all()) < 2 {
		p.Stats() // the second attempt's record follows its answer
	}
	if got := p.pushed.all(); got[0].Status != 503 || got[1].Status != 200 || got[1].Attempt != 2 {
		t.Errorf("%+v", got)
	}
}

func TestEarlyReportComesBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	r := receive(t)
	p := start(t, Config{
		Push: r.URL, Faults: Faults{Early: 1}, Reports: Reports{Share: 1, DelayMin: Duration(1e12), DelayMax: Duration(1e12)},
	})
	say(t, p, post(submit))
	if n := len(r.got); n != 1 {
		t.Errorf("%d reports before the answer", n)
	}
}

func TestAnswerDoesNotWaitForAReportThatNobodyTakes(t *testing.T) {
	t.Parallel()
	answered := make(chan struct{})
	deaf := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-answered }))
	t.Cleanup(deaf.Close)
	p := start(t, Config{Push: deaf.URL, Faults: Faults{Early: 1}, Reports: Reports{Share: 1}})
	if status, _ := say(t, p, post(submit)); status != 200 {
		t.Error(status)
	}
	close(answered)
}

func TestRepeatIsTheVerySamePush(t *testing.T) {
	t.Parallel()
	r := receive(t)
	p := start(t, Config{
		Push: r.URL, PushAuth: PushAuth{Mode: "md5", Secret: "secret"}, Faults: Faults{Repeat: 1},
		Reports: Reports{Share: 1, DelayMax: Duration(time.Millisecond)},
	})
	say(t, p, post(submit))
	if first, second := <-r.got, <-r.got; first.body != second.body {
		t.Errorf("%q, then %q", first.body, second.body)
	}
}

func TestReportTellsTheSameTimeHoweverLateItIsTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		nobody := func(context.Context, string, string) (net.Conn, error) { return nil, io.EOF }
		s := newPusher(&Config{Push: "http://127.0.0.1", PushDial: nobody}, &journal[PushEntry]{})
		u := &push{kind: "report"}
		s.attempt(t.Context(), u)
		first := u.body
		time.Sleep(2 * bodyAge) // its proof is too old to be shown again
		s.attempt(t.Context(), u)
		if u.body != first || time.Since(u.built) > 0 {
			t.Errorf("%q, then %q", first, u.body)
		}
	})
}

func TestReportOfAScheduledTextComesAfterItsTime(t *testing.T) {
	t.Parallel()
	p := start(t, Config{Push: "http://127.0.0.1:1", Faults: Faults{Early: 1}, Reports: Reports{Share: 1}})
	at := time.Now().Add(time.Hour).Truncate(time.Second)
	say(t, p, post(submit+"&stime="+url.QueryEscape(at.In(wire.Zone).Format(time.DateTime))))
	p.pushes.mu.Lock()
	defer p.pushes.mu.Unlock()
	if n := len(p.pushes.heap); n != 1 || p.pushes.heap[0].due.Before(at) {
		t.Errorf("%d reports wait", n)
	}
}

func TestStormLetsReportsGoTogether(t *testing.T) {
	t.Parallel()
	p := start(t, Config{
		Push: "http://127.0.0.1:1", Faults: Faults{Storm: Duration(24 * time.Hour)}, Reports: Reports{Share: 1, DelayMax: Duration(time.Second)},
	})
	for range 3 {
		say(t, p, post(submit))
	}
	p.pushes.mu.Lock()
	defer p.pushes.mu.Unlock()
	for _, u := range p.pushes.heap {
		if !u.due.Equal(u.due.Truncate(24*time.Hour)) || time.Until(u.due) <= 0 {
			t.Errorf("due at %v", u.due)
		}
	}
	if n := len(p.pushes.heap); n != 3 {
		t.Errorf("%d reports wait", n)
	}
}

func TestInboundMessagesGoOutInOnePush(t *testing.T) {
	t.Parallel()
	r := receive(t)
	p := start(t, Config{Push: r.URL})
	control(t, p, "/mo", `{"messages":[{"mobile":"13900000001","content":"a#@#b","extno":"008123","time":"2013-08-21 21:20:11"},`+
		`{"mobile":"13900000002","content":"退订","extno":"","time":"2013-08-21 21:20:30"}]}`, 202)
	got := <-r.got
	want := "13900000001#@#a#@#b#@#2013-08-21 21:20:11#@#008123#@@#13900000002#@#退订#@#2013-08-21 21:20:30#@#"
	if got.path != "/push/inbound" || got.form.Get("args") != want {
		t.Errorf("%+v", got)
	}
	// The connector's own reading of it.
	if mos, err := wire.ParseArgs(got.form.Get("args")); err != nil || len(mos) != 2 {
		t.Errorf("%+v, %v", mos, err)
	}
	control(t, p, "/mo", `{"messages":[]}`, 400)
}

func TestPushesCanBeUnencodedAndInTheQuery(t *testing.T) {
	t.Parallel()
	r := receive(t)
	p := start(t, Config{Push: r.URL, Faults: Faults{PushRaw: 1}})
	p.PushInbound(Message{Mobile: "13900000001", Content: "100%; a+b", ExtNo: "008"})
	if got := <-r.got; !strings.Contains(got.body, "#@#100%; a+b#@#") {
		t.Errorf("%q", got.body)
	}
	control(t, p, "/fault", `{"push_query":1}`, 200)
	p.PushInbound(Message{Mobile: "13900000001", Content: "x", ExtNo: "008"})
	if got := <-r.got; got.body != "" || !strings.Contains(got.query, "args=") {
		t.Errorf("%+v", got)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(Config{
		Listener: l, Push: "http://127.0.0.1:1", MORate: 1000, Faults: Faults{Hang: 1, HangFor: Duration(1e12)},
		Reports: Reports{Share: 1, DelayMin: Duration(1e12)},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte(post(submit)))
	control(t, p, "/stats", "", 200)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
