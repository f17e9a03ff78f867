package push

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
)

func TestPushIsAnsweredByTheContract(t *testing.T) {
	t.Parallel()
	big := "name=admin&pwd=open-sesame&x="
	tests := map[string]struct {
		method, path, body  string
		token               string
		status              int
		reports, mo, letter int
	}{
		"report":                        {body: goodReport, status: 200, reports: 1},
		"report in the query":           {path: "/push/report?" + goodReport, status: 200, reports: 1},
		"credentials in the query":      {path: "/push/report?name=admin&pwd=open-sesame", body: strings.TrimPrefix(goodReport, "name=admin&pwd=open-sesame&"), status: 200, reports: 1},
		"inbound":                       {path: "/push/inbound", body: goodInbound, status: 200, mo: 1},
		"inbound in the query":          {path: "/push/inbound?" + goodInbound, status: 200, mo: 1},
		"inbound by GET":                {method: "GET", path: "/push/inbound?" + goodInbound, status: 200, mo: 1},
		"inbound by GET, wrong":         {method: "GET", path: "/push/inbound?" + strings.Replace(goodInbound, "sesame", "Sesame", 1), status: 401},
		"inbound by PUT":                {method: "PUT", path: "/push/inbound?" + goodInbound, status: 405},
		"inbound, nothing":              {path: "/push/inbound", status: 401},
		"unescaped inbound":             {path: "/push/inbound", body: "name=admin&pwd=open-sesame&args=13800210021#@#50% off; ok?#@#2013-08-21 21:20:11#@#008123", status: 200, mo: 1},
		"two inbound, one unreadable":   {path: "/push/inbound", body: goodInbound + "%23%40%40%2313800000002%23%40%23cut", status: 200, mo: 1, letter: 1},
		"report without a state":        {body: strings.TrimSuffix(goodReport, "&state=DELIVRD"), status: 200, letter: 1},
		"report, one number twice":      {body: goodReport + "&mobile=13800000001", status: 200, letter: 1},
		"report of many parameters":     {body: goodReport + strings.Repeat("&x=1", 64), status: 200, letter: 1},
		"password given twice":          {body: goodReport + "&pwd=other", status: 200, letter: 1},
		"wrong password, then right":    {body: "name=admin&pwd=guess&pwd=open-sesame", status: 401},
		"inbound without args":          {path: "/push/inbound", body: "name=admin&pwd=open-sesame", status: 200, letter: 1},
		"garbage":                       {body: "\xff\xfe\x00{", status: 401},
		"nothing":                       {status: 401},
		"wrong password":                {body: strings.Replace(goodReport, "sesame", "Sesame", 1), status: 401},
		"wrong password, unreadable":    {body: "name=admin&pwd=guess", status: 401},
		"GET":                           {method: "GET", path: "/push/report?" + goodReport, status: 405},
		"HEAD":                          {method: "HEAD", status: 405},
		"PUT":                           {method: "PUT", body: goodReport, status: 405},
		"root":                          {path: "/", body: goodReport, status: 404},
		"other path":                    {path: "/push/reports", body: goodReport, status: 404},
		"below":                         {path: "/push/report/", body: goodReport, status: 404},
		"not cleaned":                   {path: "//push/report", body: goodReport, status: 404},
		"empty segment":                 {path: "/push//report", body: goodReport, status: 404},
		"kind that is none":             {path: "/push/none", body: goodReport, status: 404},
		"admin":                         {method: "GET", path: "/metrics", status: 404},
		"GET of another path":           {method: "GET", path: "/", status: 404},
		"token":                         {token: "s3cret", path: "/push/s3cret/report", body: goodReport, status: 200, reports: 1},
		"token, inbound":                {token: "s3cret", path: "/push/s3cret/inbound", body: goodInbound, status: 200, mo: 1},
		"token, missing":                {token: "s3cret", body: goodReport, status: 404},
		"token, wrong":                  {token: "s3cret", path: "/push/s3creT/report", body: goodReport, status: 404},
		"token, wrong, with GET":        {token: "s3cret", method: "GET", path: "/push/s3creT/report", status: 404},
		"token, empty":                  {token: "s3cret", path: "/push//report", body: goodReport, status: 404},
		"token, where none is expected": {path: "/push/s3cret/report", body: goodReport, status: 404},
		"body of 256 KiB":               {body: big + strings.Repeat("x", maxBody-len(big)), status: 200, letter: 1},
		"body of 256 KiB and one":       {body: big + strings.Repeat("x", maxBody+1-len(big)), status: 413},
		"too large, wrong credentials":  {body: strings.Repeat("x", maxBody+1), status: 413},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kept := &sink{}
			c := config(kept)
			c.Token = fixed(test.token)
			s := started(t, c)
			if test.method == "" {
				test.method = http.MethodPost
			}
			if test.path == "" {
				test.path = "/push/report"
			}
			got := s.request(t, test.method, test.path, test.body)
			if got.status != test.status {
				t.Fatalf("status %d, want %d", got.status, test.status)
			}
			if want := map[bool]string{true: "OK"}[test.status == 200]; got.body != want {
				t.Errorf("body %q, want %q", got.body, want)
			}
			if test.status == 200 && got.header.Get("Content-Type") != "text/plain" {
				t.Errorf("content type %q", got.header.Get("Content-Type"))
			}
			if (test.status == 405) != (got.header.Get("Allow") != "") {
				t.Errorf("Allow: %q", got.header.Get("Allow"))
			}
			reports, mo, letters := kept.counts()
			if reports != test.reports || mo != test.mo || letters != test.letter {
				t.Errorf("sink got %d reports, %d messages, %d dead letters, want %d, %d, %d",
					reports, mo, letters, test.reports, test.mo, test.letter)
			}
		})
	}
}

func TestSinkGetsThePushReadAndRaw(t *testing.T) {
	t.Parallel()
	var raws []Raw
	kept := &sink{before: func(_ context.Context, raw Raw) error { raws = append(raws, raw); return nil }}
	c := config(kept)
	c.SystemExtensionLength = new(3)
	c.Keywords = wire.NewKeywords([]string{"TD"}, nil, nil)
	c.Account = "main"
	s := started(t, c)
	began := time.Now()
	s.post(t, "/push/report?note=1", strings.Replace(goodReport, "13800000001", "13800000001,13800000002", 1))
	s.post(t, "/push/inbound", "name=admin&pwd=open-sesame&args=13800210021#@#td#@#2013-08-21 21:20:11#@#008123")
	s.post(t, "/push/inbound", "name=admin&pwd=open-sesame&args=nonsense")

	r := kept.reports[0]
	if r.SendID != "20140821110353234137876543" || r.State != "DELIVRD" || !slices.Equal(r.Mobiles, []string{"13800000001", "13800000002"}) {
		t.Errorf("report %+v", r)
	}
	if raw := raws[0]; raw.Query != "note=1" || !strings.Contains(string(raw.Body), "13800000002") ||
		raw.ContentType != "application/x-www-form-urlencoded" || raw.ReceivedAt.Before(began) {
		t.Errorf("raw %+v", raw)
	}
	m := kept.inbound[0]
	if m.ReceivedAt.Before(began) {
		t.Error("received before it was sent")
	}
	m.ReceivedAt = time.Time{}
	want := sms.Inbound{
		From: "13800210021", Text: "td", Extension: "008123", SystemExtension: "008", CommandExtension: "123",
		SentAt: time.Date(2013, 8, 21, 21, 20, 11, 0, wire.Zone), Keyword: sms.OptOut, Confidence: sms.High, Records: 1, Account: "main",
	}
	if m != want {
		t.Errorf("inbound %+v, want %+v", m, want)
	}
	l := kept.letters[0]
	if l.Kind != Inbound || string(l.Body) != "name=admin&pwd=open-sesame&args=nonsense" || !strings.Contains(l.cause, "args") {
		t.Errorf("dead letter %+v", l)
	}
}

func TestMessageTellsHowManyItsPushHeld(t *testing.T) {
	t.Parallel()
	kept := &sink{}
	s := started(t, config(kept)) // without a length of the system's prefix
	s.post(t, "/push/inbound", goodInbound+"%23%40%40%2313800000002%23%40%23cut")
	s.post(t, "/push/inbound", goodInbound)
	for i, want := range []int{2, 1} {
		m := kept.inbound[i]
		if m.Records != want {
			t.Errorf("message %d: %d records, want %d", i, m.Records, want)
		}
		if m.Extension != "008123" || m.SystemExtension != "" || m.CommandExtension != "" {
			t.Errorf("message %d: extension %q was cut into %q and %q", i, m.Extension, m.SystemExtension, m.CommandExtension)
		}
	}
}

func TestReportOfTooManyNumbersIsKeptRaw(t *testing.T) {
	t.Parallel()
	for count, wantLetters := range map[int]int{wire.MaxRecords: 0, wire.MaxRecords + 1: 1} {
		kept := &sink{}
		s := started(t, config(kept))
		body := strings.Replace(goodReport, "13800000001", strings.Repeat("13800000001,", count), 1)
		if got := s.post(t, "/push/report", body); got.status != 200 {
			t.Fatalf("%d numbers: status %d", count, got.status)
		}
		if _, _, letters := kept.counts(); letters != wantLetters {
			t.Errorf("%d numbers: %d dead letters, want %d", count, letters, wantLetters)
		}
	}
}

func TestChunkedBodyOverTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	s := started(t, config(&sink{}))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.Addr().String()+"/push/report",
		io.MultiReader(strings.NewReader(goodReport+"&x="), strings.NewReader(strings.Repeat("x", maxBody)))) // no length known
	if err != nil {
		t.Fatal(err)
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", got.StatusCode)
	}
}

func TestNothingBut200BeforeThePushIsDurable(t *testing.T) {
	t.Parallel()
	for kind, body := range map[string]string{
		"report":  goodReport,
		"inbound": goodInbound,
		// Its dead letter has to be durable as well.
		"inbound?broken": "name=admin&pwd=open-sesame&args=nonsense",
	} {
		away := true
		kept := &sink{before: func(context.Context, Raw) error {
			if away {
				return errAway
			}
			return nil
		}}
		s := started(t, config(kept))
		if got := s.post(t, "/push/"+kind, body); got.status != http.StatusServiceUnavailable || got.body != "" {
			t.Errorf("%s: status %d, body %q while Kafka is away", kind, got.status, got.body)
		}
		away = false
		if got := s.post(t, "/push/"+kind, body); got.status != http.StatusOK {
			t.Errorf("%s: status %d when Kafka is back", kind, got.status)
		}
	}
}

func TestPushThatIsNotDurableInTimeIsAnswered503(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, m := inMemory(t, config(&sink{before: func(ctx context.Context, _ Raw) error {
			<-ctx.Done()
			return ctx.Err()
		}}))
		c := m.dial("203.0.113.1:1")
		defer c.Close()
		began := time.Now()
		got, err := say(c, form("/push/report", goodReport))
		if err != nil || got.status != http.StatusServiceUnavailable || time.Since(began) != 3*time.Second {
			t.Errorf("status %d after %s, %v", got.status, time.Since(began), err)
		}
	})
}

func TestPushIsMadeDurableThoughItsSenderHangsUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		kept := &sink{before: func(ctx context.Context, _ Raw) error {
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		_, m := inMemory(t, config(kept))
		c := m.dial("203.0.113.1:1")
		if _, err := io.WriteString(c, form("/push/report", goodReport)); err != nil {
			t.Fatal(err)
		}
		c.Close()
		time.Sleep(2 * time.Second)
		if reports, _, _ := kept.counts(); reports != 1 {
			t.Errorf("%d reports", reports)
		}
	})
}

// signedReport is a report whose name is a digest of now.
func signedReport(t *testing.T, state string) string {
	t.Helper()
	stamp := strconv.FormatInt(time.Now().UnixMilli(), 10)
	sum := md5.Sum([]byte("secret" + "abc" + stamp))
	return "name=" + hex.EncodeToString(sum[:]) + "&random=abc&timestamp=" + stamp +
		"&sendid=20140821110353234137876543&mobile=13800000001&state=" + state
}

func TestDigestIsUsedUpByA200Alone(t *testing.T) {
	t.Parallel()
	var err error
	kept := &sink{before: func(context.Context, Raw) error { return err }}
	c := config(kept)
	c.Auth = Auth{Mode: MD5, AccessSecret: fixed("secret")}
	s := started(t, c)
	push := signedReport(t, "DELIVRD")
	forged := strings.Replace(push, "DELIVRD", "UNDELIV", 1)
	steps := []struct {
		name, body string
		away       error
		status     int
		reports    int
	}{
		{"Kafka is away", push, errAway, 503, 0},
		{"the provider's own retry", push, nil, 200, 1},
		{"the same push again is no new event", push, nil, 200, 1},
		{"also while Kafka is away", push, errAway, 200, 1},
		{"another body with the same digest", forged, nil, 401, 1},
		{"the fields of another body in the query", "", nil, 401, 1},
		{"the same push once more", push, nil, 200, 1},
	}
	for _, step := range steps {
		err = step.away
		path := "/push/report"
		if step.body == "" {
			path += "?" + forged
		}
		got := s.post(t, path, step.body)
		if reports, _, _ := kept.counts(); got.status != step.status || reports != step.reports {
			t.Fatalf("%s: status %d, %d reports, want %d, %d", step.name, got.status, reports, step.status, step.reports)
		}
	}
}

func TestCutBodyIsKeptRawAndNeverRead(t *testing.T) {
	t.Parallel()
	announce := func(body string, length int) string {
		return strings.Replace(form("/push/report", body), "Content-Length: "+strconv.Itoa(len(body)), "Content-Length: "+strconv.Itoa(length), 1)
	}
	wrong := strings.Replace(goodReport, "sesame", "Sesame", 1)
	tests := map[string]struct {
		request string
		status  int
		letters int
	}{
		"sender stalls":                     {announce(goodReport, len(goodReport)+6), 200, 1},
		"sender stalls, nobody knows it":    {announce(wrong, len(wrong)+6), 401, 0},
		"chunks do not end":                 {"POST /push/report HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n" + strconv.FormatInt(int64(len(goodReport)), 16) + "\r\n" + goodReport + "\r\n", 200, 1},
		"large and stalls":                  {announce(goodReport+"&x="+strings.Repeat("x", 2*smallBody), 10*smallBody), 200, 1},
		"length that counts too few is cut": {announce(goodReport, len(goodReport)-len("&state=DELIVRD")), 200, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				kept := &sink{}
				_, m := inMemory(t, config(kept))
				c := m.dial("203.0.113.1:1")
				defer c.Close()
				began := time.Now()
				got, err := say(c, test.request)
				if err != nil || got.status != test.status || time.Since(began) > 15*time.Second {
					t.Errorf("status %d after %s, %v", got.status, time.Since(began), err)
				}
				if reports, _, letters := kept.counts(); reports != 0 || letters != test.letters {
					t.Errorf("%d reports, %d dead letters", reports, letters)
				}
			})
		})
	}
}

func TestDigestOfACutBodyIsLeftForTheWholeOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		kept := &sink{}
		c := config(kept)
		c.Auth = Auth{Mode: MD5, AccessSecret: fixed("secret")}
		_, m := inMemory(t, c)
		time.Sleep(20 * 365 * 24 * time.Hour) // synctest begins when timestamps had a digit less
		push := signedReport(t, "DELIVRD")
		first := m.dial("203.0.113.1:1")
		defer first.Close()
		cut := strings.TrimSuffix(form("/push/report", push), "VRD")
		if got, err := say(first, cut); err != nil || got.status != 200 {
			t.Fatalf("cut: status %d, %v", got.status, err)
		}
		second := m.dial("203.0.113.1:2")
		defer second.Close()
		if got, err := say(second, form("/push/report", push)); err != nil || got.status != 200 {
			t.Fatalf("whole: status %d, %v", got.status, err)
		}
		// By then an overheard digest is worth nothing, not even for dead letters.
		third := m.dial("203.0.113.1:3")
		defer third.Close()
		if got, err := say(third, cut); err != nil || got.status != 401 {
			t.Fatalf("cut, after the whole: status %d, %v", got.status, err)
		}
		if reports, _, letters := kept.counts(); reports != 1 || letters != 1 {
			t.Errorf("%d reports, %d dead letters", reports, letters)
		}
	})
}

func TestPanicCostsOnePushItsDecodingAndNobodyElseAnything(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before  func(ctx context.Context, raw Raw) error
		status  int
		letters int
	}{
		"panic once": {func() func(context.Context, Raw) error {
			var once sync.Once
			return func(context.Context, Raw) error {
				once.Do(func() { panic("13800000001") })
				return nil
			}
		}(), 200, 1},
		"panic always": {func(context.Context, Raw) error { panic(errors.New("13800000001")) }, 503, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			kept := &sink{before: test.before}
			c := config(kept)
			c.Log = slog.New(slog.NewJSONHandler(&log, nil))
			s := started(t, c)
			if got := s.post(t, "/push/report", goodReport); got.status != test.status {
				t.Errorf("status %d, want %d", got.status, test.status)
			}
			if _, _, letters := kept.counts(); letters != test.letters {
				t.Errorf("%d dead letters", letters)
			}
			if !strings.Contains(log.String(), "panicked") || strings.Contains(log.String(), "13800000001") {
				t.Errorf("log %s", log.String())
			}
		})
	}
}

func TestOnlyListedAddressesArePushedFrom(t *testing.T) {
	t.Parallel()
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	provider := []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	tests := map[string]struct {
		allow, proxies []netip.Prefix
		forwarded      string
		status         int
	}{
		"listed peer":                           {loopback, nil, "", 200},
		"unlisted peer":                         {provider, nil, "", 401},
		"unlisted peer that claims to be":       {provider, nil, "203.0.113.7", 401},
		"listed client of a trusted proxy":      {provider, loopback, "203.0.113.7", 200},
		"claimed before the trusted proxy":      {provider, loopback, "203.0.113.7, 198.51.100.1", 401},
		"trusted proxy that names nobody":       {provider, loopback, "", 401},
		"trusted proxy that names garbage":      {provider, loopback, "somebody", 401},
		"no list, trusted proxy, garbage":       {nil, loopback, "somebody", 200},
		"listed proxy, trusted, another client": {loopback, loopback, "198.51.100.1", 401},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kept := &sink{}
			c := config(kept)
			c.Allow, c.TrustedProxies = test.allow, test.proxies
			s := started(t, c)
			var header []string
			if test.forwarded != "" {
				header = []string{"X-Forwarded-For", test.forwarded}
			}
			got := s.post(t, "/push/report", goodReport, header...)
			if reports, _, _ := kept.counts(); got.status != test.status || reports != map[int]int{200: 1}[test.status] {
				t.Errorf("status %d, %d reports, want %d", got.status, reports, test.status)
			}
		})
	}
}

func TestRefusalsLookAlike(t *testing.T) {
	t.Parallel()
	c := config(&sink{})
	c.Auth = Auth{Mode: Either, Name: fixed("admin"), Password: fixed("open-sesame"), AccessSecret: fixed("secret")}
	s := started(t, c)
	c.Allow = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	closed := started(t, c)
	used := signedReport(t, "DELIVRD")
	s.post(t, "/push/report", used)
	answers := map[string]answer{
		"wrong password": s.post(t, "/push/report", "name=admin&pwd=x"),
		"no credentials": s.post(t, "/push/report", ""),
		"old digest":     s.post(t, "/push/report", "name=0bbbeef1171e800e6ce3225d46f4ce42&random=23rfsdf332&timestamp=1465227303037"),
		"used digest":    s.post(t, "/push/report", used+"&more=1"),
		"address":        closed.post(t, "/push/report", goodReport),
	}
	for name, got := range answers {
		got.header.Del("Date")
		if got.status != http.StatusUnauthorized || got.body != "" ||
			!slices.Equal(slices.Sorted(maps.Keys(got.header)), []string{"Content-Length"}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestLogsAndErrorsHoldNothingThatWasPushed(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := config(&sink{before: func(context.Context, Raw) error { return errAway }})
	c.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c.Token = fixed("canary-token")
	s := started(t, c)
	for _, body := range []string{goodReport, goodInbound, "name=canary-name&pwd=canary-password", goodReport + "canary%;&&="} {
		for _, kind := range []string{"report", "inbound"} {
			s.post(t, "/push/canary-token/"+kind, body)
			s.post(t, "/push/canary-token/"+kind+"?canary;"+goodReport, body)
			s.post(t, "/push/canary-wrong/"+kind+"?canary;"+goodReport, body)
		}
	}
	for _, secret := range []string{"canary", "13800000001", "13800210021", "content1", "sesame", "2014082111"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("log holds %q: %s", secret, log.String())
		}
	}
	if !strings.Contains(log.String(), "push refused") || !strings.Contains(log.String(), "push not durable") {
		t.Errorf("log tells too little: %s", log.String())
	}
}

func TestPortInUseIsToldWithItsVariable(t *testing.T) {
	t.Parallel()
	first, err := Listen(t.Context(), config(&sink{}))
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	c := config(&sink{})
	c.Listen = first.Addr().String()
	_, err = Listen(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "SMSBRIDGE_PUSH_LISTEN") || !strings.Contains(err.Error(), c.Listen) {
		t.Errorf("error %v", err)
	}
}

func TestTokenThatAURLWouldEscapeIsRefusedAtTheStart(t *testing.T) {
	t.Parallel()
	for token, ok := range map[string]bool{"": true, "aZ0-._~": true, "a/b": false, "a b": false, "ä": false, "%41": false} {
		c := config(&sink{})
		c.Token = fixed(token)
		s, err := Listen(t.Context(), c)
		if (err == nil) != ok {
			t.Errorf("token %q: error %v", token, err)
		}
		if err == nil {
			s.Close()
		} else if strings.Contains(err.Error(), token) {
			t.Errorf("error holds the token: %v", err)
		}
	}
}

func TestStopFinishesWhatIsInProgressAndBeginsNothing(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}), make(chan struct{})
	kept := &sink{before: func(context.Context, Raw) error {
		close(arrived)
		<-release
		return nil
	}}
	s, err := Listen(t.Context(), config(kept))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	status := make(chan int, 1)
	go func() { status <- s.post(t, "/push/report", goodReport).status }()
	<-arrived
	stop()
	for { // until the port is closed
		c, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			break
		}
		c.Close()
	}
	select {
	case err := <-ended:
		t.Fatalf("Run ended with a push in progress: %v", err)
	default:
	}
	close(release)
	if got := <-status; got != http.StatusOK {
		t.Errorf("status %d", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestStopWaitsForTheSinkEvenWhenTheGraceIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inSink := false
		c := config(&sink{before: func(ctx context.Context, _ Raw) error {
			inSink = true
			<-ctx.Done()
			inSink = false
			return ctx.Err()
		}})
		c.Grace = time.Second
		m := newMemory()
		s, err := newServer(c, m)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		stalled := m.dial("203.0.113.1:1")
		defer stalled.Close()
		go io.WriteString(stalled, "POST /push/report HTTP/1.1\r\nHost: b\r\nContent-Length: 9\r\n\r\nna")
		working := m.dial("203.0.113.1:2")
		defer working.Close()
		go io.WriteString(working, form("/push/report", goodReport))
		synctest.Wait()
		began := time.Now()
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if inSink || time.Since(began) > 3*time.Second {
			t.Errorf("ended after %s, sink in use: %v", time.Since(began), inSink)
		}
	})
}
