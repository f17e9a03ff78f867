package simulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const number = "13800000000"

func start(t *testing.T, cfg Config) *Provider {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listener = l
	p, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// say sends bytes as they are and gives what comes back until the connection ends
// or a whole answer was read.
func say(t *testing.T, p *Provider, sent string) (status int, body string) {
	t.Helper()
	c, err := net.Dial("tcp", p.cfg.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, sent); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, ""
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, "cut: " + string(b)
	}
	return resp.StatusCode, string(b)
}

func post(body string) string {
	return fmt.Sprintf("POST /sms HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

const submit = "name=n&pwd=p&content=%E6%82%A8%E5%A5%BD&mobile=" + number + "&sign=s&type=pt"

func TestClientsOldAndNewAreUnderstood(t *testing.T) {
	t.Parallel()
	want := Entry{Name: "n", Mobile: number, Content: "您好 a&b 5%", Sign: "签", Type: "pt", Code: "0"}
	encoded := url.Values{
		"name": {"n"}, "pwd": {"p"}, "content": {want.Content}, "mobile": {number}, "sign": {"签"}, "type": {"pt"},
	}.Encode()
	rawForm := "name=n&pwd=p&content=您好 a&b 5%&mobile=" + number + "&sign=签&type=pt"
	tests := map[string]string{
		"an encoded form":               post(encoded),
		"a query, by GET":               "GET /sms?" + encoded + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"a query, by POST":              "POST /sms?" + encoded + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		"credentials in the query only": strings.Replace(post(strings.TrimPrefix(rawForm, "name=n&pwd=p&")), "/sms", "/sms?name=n&pwd=p", 1),
		"an unencoded form":             post(rawForm),
		"a length that counts characters": fmt.Sprintf("POST /sms HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s",
			len([]rune(rawForm)), rawForm),
		"HTTP/1.0":                   strings.Replace(post(encoded), "HTTP/1.1", "HTTP/1.0", 1),
		"bare line feeds":            strings.ReplaceAll(post(encoded), "\r\n", "\n"),
		"in chunks":                  fmt.Sprintf("POST /sms HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(encoded), encoded),
		"a long head":                strings.Replace(post(encoded), "Host: x", "Host: x\r\nX: "+strings.Repeat("y", 9000), 1),
		"the last of its connection": strings.Replace(post(encoded), "Host: x", "Host: x\r\nConnection: close", 1),
	}
	for name, sent := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, Config{})
			status, body := say(t, p, sent)
			entries := p.ledger.all()
			if status != 200 || len(entries) != 1 {
				t.Fatalf("%d %q, %d entries", status, body, len(entries))
			}
			got := entries[0]
			if line := fmt.Sprintf("0, %s,0,1,0,提交成功", got.SendID); body != line {
				t.Errorf("answered %q, want %q", body, line)
			}
			if len(got.SendID) != 26 || strings.Trim(got.SendID, "0123456789") != "" {
				t.Errorf("sendid %q", got.SendID)
			}
			got.SendID, got.At = "", stamp{}
			if got != want {
				t.Errorf("understood %+v", got)
			}
		})
	}
}

func TestRequestAfterACountedOneIsNotSwallowed(t *testing.T) {
	t.Parallel()
	p := start(t, Config{})
	c, err := net.Dial("tcp", p.cfg.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw := "name=n&pwd=p&content=您好&mobile=" + number + "&type=pt" // its length is in bytes
	io.WriteString(c, post(raw)+post(raw))
	br := bufio.NewReader(c)
	for range 2 {
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
	}
	for _, e := range p.ledger.all() {
		if e.Mobile != number || e.Content != "您好" || e.Code != "0" {
			t.Errorf("%+v", e)
		}
	}
}

func TestAnswersAreTheDocuments(t *testing.T) {
	t.Parallel()
	p := start(t, Config{Name: "n", Password: "p", Balance: 4, Sensitive: []string{"赌"}, BlackSuffix: "99"})
	with := func(changes ...string) string {
		v := url.Values{"name": {"n"}, "pwd": {"p"}, "content": {"c"}, "mobile": {number}, "sign": {"s"}, "type": {"pt"}}
		for i := 0; i < len(changes); i += 2 {
			v.Set(changes[i], changes[i+1])
		}
		return v.Encode()
	}
	// In order: the balance sinks.
	for _, tt := range []struct{ name, body, code, counts string }{
		{"accepted", with(), "0", "0,1,0"},
		{"three kinds of numbers", with("mobile", number+",12,13800000099"), "0", "1,1,1"},
		{"only blacklisted ones", with("mobile", "13800000099"), "0", "0,0,1"},
		{"time with one digit for the hour", with("stime", "2013-08-20 9:11:34"), "0", "0,1,0"},
		{"wrong password", with("pwd", "x"), "10", ""},
		{"sensitive words", with("content", "来赌"), "1", ""},
		{"no numbers", with("mobile", " ,"), "3", ""},
		{"no text", with("content", ""), "14", ""},
		{"a long text", with("content", strings.Repeat("字", 501)), "14", ""},
		{"letters in the extension", with("extno", "1a"), "14", ""},
		{"a time that is none", with("stime", "tomorrow"), "14", ""},
		{"balance too low", with("mobile", "13800000001,13800000002"), "2", ""},
	} {
		_, line := say(t, p, post(tt.body))
		fields := strings.Split(line, ",")
		if fields[0] != tt.code {
			t.Errorf("%s: %q", tt.name, line)
		}
		if tt.counts != "" && strings.Join(fields[2:5], ",") != tt.counts {
			t.Errorf("%s: %q", tt.name, line)
		}
	}
	if _, line := say(t, p, post("name=n&pwd=p&type=balance")); line != "0,1" {
		t.Errorf("balance %q", line)
	}
	if _, line := say(t, p, post(with("type", "x"))); line != "0,type is not true ," {
		t.Errorf("wrong type: %q", line)
	}
}

func TestEachFaultIsWhatItSays(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		faults  Faults
		status  []int
		carried []string // codes in the ledger
	}{
		"drop":     {Faults{Drop: 1}, []int{0}, []string{"0"}},
		"reset":    {Faults{Reset: 1}, []int{0}, []string{"0"}},
		"cut":      {Faults{Cut: 1}, []int{200}, []string{"0"}},
		"error":    {Faults{Error: 1}, []int{500, 502, 504}, []string{"0", ""}},
		"html":     {Faults{HTML: 1}, []int{200}, []string{"0", ""}},
		"system":   {Faults{System: 1}, []int{200}, []string{"-1"}},
		"redirect": {Faults{Redirect: 1}, []int{307}, []string{""}},
		"throttle": {Faults{Throttle: 1}, []int{429}, []string{""}},
		"busy":     {Faults{Busy: 1}, []int{503}, []string{""}},
		"hang":     {Faults{Hang: 1, HangFor: 1}, []int{0}, []string{"0", ""}},
		"stale":    {Faults{Stale: 1}, []int{200}, []string{"0"}},
		"miscount": {Faults{Miscount: 1}, []int{200}, []string{"0"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, Config{Faults: tt.faults})
			status, body := say(t, p, post(submit))
			if !slices.Contains(tt.status, status) {
				t.Errorf("%d %q", status, body)
			}
			entries := p.ledger.all()
			if len(entries) != 1 || !slices.Contains(tt.carried, entries[0].Code) || entries[0].Fault != name {
				t.Errorf("%+v", entries)
			}
			if name == "cut" && !strings.HasPrefix(body, "cut: 0, 20") {
				t.Errorf("%q", body)
			}
			if p.Stats().Faults[name] != 1 {
				t.Errorf("%+v", p.Stats())
			}
		})
	}
}

func TestFaultOfATextOrANumberStrikesThatAlone(t *testing.T) {
	t.Parallel()
	const slowly = 300 * time.Millisecond
	p := start(t, Config{Faults: Faults{
		Forbid: "taboo", ThrottleNumbers: "1390", ThrottleAfter: 30, SlowNumbers: "1370", SlowFor: Duration(slowly),
	}})
	for name, tt := range map[string]struct {
		content, mobile string
		status          int
		fault           string
		waits           bool
	}{
		"a text that is forbidden":       {"a taboo word", number, 403, "forbidden", false},
		"a number that is throttled":     {"a word", "13900000000,13800000000", 429, "throttled", false},
		"a throttled one further behind": {"a word", "13800000000,13900000000", 200, "", false},
		"a number that is slow":          {"a word", "13700000000", 200, "", true},
		"everything else":                {"a word", number, 200, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			body := url.Values{"content": {tt.content}, "mobile": {tt.mobile}, "type": {"pt"}}.Encode()
			before, began := len(p.ledger.all()), time.Now()
			resp, err := http.Post(p.URL(), "application/x-www-form-urlencoded", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			took := time.Since(began)
			entries := p.ledger.all()[before:]
			if resp.StatusCode != tt.status || len(entries) != 1 || entries[0].Fault != tt.fault || (entries[0].Code == "0") != (tt.status == 200) {
				t.Errorf("%s, ledger %+v", resp.Status, entries)
			}
			if after := resp.Header.Get("Retry-After"); tt.fault == "throttled" && after != "30" {
				t.Errorf("Retry-After %q", after)
			}
			if tt.waits && took < slowly {
				t.Errorf("answered after %v", took)
			}
		})
	}
}

func TestNextRequestOnAStaleConnectionIsResetUnread(t *testing.T) {
	t.Parallel()
	p := start(t, Config{Faults: Faults{Stale: 1}})
	c, err := net.Dial("tcp", p.cfg.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	br := bufio.NewReader(c)
	io.WriteString(c, post(submit))
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	io.WriteString(c, post(submit))
	if _, err := br.ReadByte(); err == nil {
		t.Error("answered")
	}
	if s := p.Stats(); s.Complete != 1 || s.Partial != 1 {
		t.Errorf("%+v", s)
	}
}

func TestRequestThatIsCutIsCountedButNotInTheLedger(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]int{"in its head": 30, "in its body": len(post(submit)) - 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, Config{})
			c, err := net.Dial("tcp", p.cfg.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			io.WriteString(c, post(submit)[:cut])
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c)
			if s := p.Stats(); s.Complete != 0 || s.Partial != 1 || len(p.ledger.all()) != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestAccountCodeAnswersUntilItIsOver(t *testing.T) {
	t.Parallel()
	p := start(t, Config{})
	control(t, p, "/fault", `{"code":"12","code_text":"暂停","code_for":"1h"}`, 200)
	for _, body := range []string{submit, "name=n&pwd=p&type=balance"} {
		if _, line := say(t, p, post(body)); line != "12,暂停" {
			t.Errorf("%q", line)
		}
	}
	control(t, p, "/fault", `{"code":"2","code_text":"余额不足","code_for":"0s"}`, 200)
	if _, line := say(t, p, post("name=n&pwd=p&type=balance")); !strings.HasPrefix(line, "0,") {
		t.Errorf("%q: code 2 is no answer to a balance call", line)
	}
	control(t, p, "/fault", `{"code":""}`, 200)
	if _, line := say(t, p, post(submit)); !strings.HasPrefix(line, "0, ") {
		t.Errorf("%q", line)
	}
}

func TestFaultsThatCannotBeMeantAreRefused(t *testing.T) {
	t.Parallel()
	p := start(t, Config{})
	for _, body := range []string{`{"drop":2}`, `{"drop":0.6,"reset":0.6}`, `{"dorp":1}`, `{"hang_for":"-1s"}`, `{`} {
		control(t, p, "/fault", body, 400)
	}
	if p.Faults() != (Faults{}) {
		t.Errorf("%+v", p.Faults())
	}
}

func TestLedgerIsOneJSONObjectALine(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/ledger"
	p := start(t, Config{LedgerFile: file})
	for range 3 {
		say(t, p, post(submit))
	}
	say(t, p, post("name=n&pwd=p&type=balance"))
	lines := bytes.Split(bytes.TrimSpace([]byte(control(t, p, "/ledger?from=2", "", 200))), []byte("\n"))
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	var fields map[string]string
	if err := json.Unmarshal(lines[0], &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"name", "mobile", "content", "sign", "stime", "extno", "type", "code", "sendid", "at"} {
		if _, ok := fields[name]; !ok {
			t.Errorf("no %s", name)
		}
	}
	if _, err := time.Parse(stampLayout, fields["at"]); err != nil || len(fields["at"]) != len(stampLayout) {
		t.Errorf("at %q", fields["at"])
	}
	if len(fields) != 10 || fields["content"] != "您好" {
		t.Errorf("%v", fields)
	}
	if strings.Contains(string(lines[0]), "pwd") {
		t.Error("the ledger holds the password")
	}
}

func TestSendidsAreUniqueUnderLoad(t *testing.T) {
	t.Parallel()
	p := start(t, Config{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				say(t, p, post(submit))
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, e := range p.ledger.all() {
		seen[e.SendID] = true
	}
	if len(seen) != 800 {
		t.Errorf("%d sendids for 800 requests", len(seen))
	}
}

// control calls the control API; an empty body asks by GET.
func control(t *testing.T, p *Provider, path, body string, want int) string {
	t.Helper()
	address := "http://" + p.cfg.Listener.Addr().String() + path
	var (
		resp *http.Response
		err  error
	)
	if body == "" {
		resp, err = http.Get(address)
	} else {
		resp, err = http.Post(address, "application/json", strings.NewReader(body))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != want {
		t.Errorf("%s %s: %d %s", path, body, resp.StatusCode, b)
	}
	return string(b)
}
