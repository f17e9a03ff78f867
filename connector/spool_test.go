package connector

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// waiting is how many pushes /api/status says are in the spool.
func (w *watch) waiting() int {
	w.t.Helper()
	_, body := w.get("/api/status")
	var told struct {
		Spool *struct {
			Waiting  int
			OldestAt *time.Time `json:"oldest_at"`
			Failing  *string
		}
	}
	if err := json.Unmarshal([]byte(body), &told); err != nil || told.Spool == nil || told.Spool.Failing != nil {
		w.t.Fatalf("%v in %s", err, body)
	}
	if told.Spool.Waiting > 0 && told.Spool.OldestAt == nil {
		w.t.Errorf("spool %s", body)
	}
	return told.Spool.Waiting
}

// copyFolder copies the files of a folder, as a crash would leave them.
func copyFolder(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	files, err := filepath.Glob(filepath.Join(from, "*.spool"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(file)), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// A process takes pushes while Kafka is away and is killed, a second one takes
// more and is stopped, a third one delivers; the spool of the first one, which
// somebody finds after the kill, is delivered once more.
func TestPushesOutliveAnOutageOfKafkaAndTheProcess(t *testing.T) {
	l := newLab(t)
	const n = 40
	taken := 0
	spool := filepath.Join(t.TempDir(), "spool")
	var kafka cable
	var admin *watch
	begin := func(folder string) (pushURL string, stop func() error) {
		admin = newWatch(t)
		pushURL, stop = l.start(func(cfg *Config) {
			admin.over(cfg)
			cfg.Kafka.Dial = kafka.dial
			cfg.Push.SpoolDir, cfg.Push.SpoolMax = folder, 1<<20
		})
		admin.answers("/readyz", http.StatusOK) // with Kafka away too: the spool takes pushes
		return pushURL, stop
	}
	push := func(pushURL string, times int) {
		t.Helper()
		for range times {
			report := url.Values{"sendid": {fmt.Sprintf("20260101000000000%06d", taken)}, "mobile": {"13800000000"}, "state": {"DELIVRD"}}
			began := time.Now()
			l.push(pushURL+"report", report, http.StatusOK)
			if d := time.Since(began); d > 10*time.Second { // 3 s, and a slow machine
				t.Errorf("200 after %s", d)
			}
			taken++
		}
	}

	pushURL, kill := begin(spool)
	eventually(t, func() error {
		if !strings.Contains(admin.log.String(), "partitions assigned") {
			return errors.New("it has not begun to work")
		}
		return nil
	})
	kafka.pull()
	push(pushURL, n/2)
	if got := admin.waiting(); got != n/2 {
		t.Errorf("%d wait, want %d", got, n/2)
	}
	killed := copyFolder(t, spool)
	if err := kill(); err != nil { // what Kafka has not confirmed is no failure
		t.Error(err)
	}
	pushURL, stop := begin(spool)
	push(pushURL, n/2)
	if err := stop(); err != nil {
		t.Error(err)
	}
	kafka.plug()
	for _, folder := range []string{spool, killed} {
		_ = stop()
		_, stop = begin(folder)
		eventually(t, func() error {
			if left := admin.waiting(); left > 0 {
				return fmt.Errorf("%d still wait", left)
			}
			return nil
		})
	}

	l.read(testTopics.Pushes, n+n/2)
	events := map[string]string{}
	l.follow(testTopics.Reports, "report of every push", func(e event) bool {
		if id, again := events[e.MessageID]; again && id != e.EventID {
			t.Errorf("%s has the events %s and %s", e.MessageID, id, e.EventID)
		}
		events[e.MessageID] = e.EventID
		return len(events) == n
	})
}
