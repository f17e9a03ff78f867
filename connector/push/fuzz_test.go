package push

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// FuzzPush holds that whatever anybody sends, with a sink that works, is
// answered by the contract, never with a 5xx, and that nothing reaches the sink
// but by a 200.
func FuzzPush(f *testing.F) {
	for _, seed := range []string{goodReport, goodInbound, "", "&&&=%", "name=admin&pwd=open-sesame&args=#@#;%#@@#", "name=admin&pwd=open-sesame&name=x"} {
		f.Add("/push/report", "", "application/x-www-form-urlencoded", []byte(seed))
		f.Add("/push/inbound", seed, "text/plain; charset=gbk", []byte("name=admin&pwd=open-sesame"))
	}
	f.Add("/push/inbound", "", "", []byte("name=admin&pwd=open-sesame&args=13800210021#@#\xc4\xe3#@#2013-08-21 21:20:11#@#"))
	f.Fuzz(func(t *testing.T, path, query, contentType string, body []byte) {
		kept := &sink{}
		s, err := newServer(config(kept), newMemory())
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body))
		r.URL = &url.URL{Path: path, RawQuery: query}
		r.Header["Content-Type"] = []string{contentType}
		w := httptest.NewRecorder()
		s.serve(w, r)
		if !slices.Contains([]int{200, 401, 404, 413}, w.Code) {
			t.Fatalf("status %d", w.Code)
		}
		reports, inbound, letters := kept.counts()
		if (w.Code == http.StatusOK) != (reports+inbound+letters > 0) {
			t.Fatalf("status %d, sink got %d reports, %d messages, %d dead letters", w.Code, reports, inbound, letters)
		}
		if w.Code == http.StatusOK && !strings.Contains(string(body)+query, "sesame") && !strings.ContainsAny(string(body)+query, "%") {
			t.Fatal("accepted without the password")
		}
	})
}
