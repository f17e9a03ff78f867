//go:build chromium

package telemetry

import (
	"errors"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// night is a process with as much trouble as fits on a page.
func night(now time.Time) Status {
	ago := func(d time.Duration) Time { return Time(now.Add(-d)) }
	return Status{
		Version: "1.2.3", Instance: "smsbridge-0-5f3a9c21", Account: "shop", StartedAt: ago(52 * time.Hour),
		Line:    &Line{State: "held", Reason: "insufficient_balance", Since: ago(7 * time.Minute)},
		Balance: &Balance{Amount: "0", Unit: "messages", Level: "exhausted", At: ago(20 * time.Second)},
		Partitions: []Partition{
			{Partition: 0, Lag: 1204, InFlight: 256, Watermark: 99812, Oldest: ago(7 * time.Minute)},
			{Partition: 3, Watermark: 1000, Halted: true, Reason: "journal_end_lost", Detail: "the journal ends at 7, offset 12 was fenced", Remedy: "find out why Kafka lost records; then smsbridge journal accept-loss"},
			{Partition: 6, Watermark: 7},
		},
		Reports:  &Reports{Partitions: []ReportPartition{{Partition: 0, Lag: 3, Parked: 17}, {Partition: 1, Halted: "the sendids topic was made anew"}}},
		Outcomes: []Outcome{{"accepted", "", 48211}, {"expired", "insufficient_balance", 3}, {"unknown", "timeout", 2}},
	}
}

// TestPageInChromium looks at the page in a real browser, which obeys its content
// security policy. PAGE_SHOTS names a folder for pictures to be looked at.
func TestPageInChromium(t *testing.T) {
	now := time.Now()
	trouble := admin(func(a *Admin) {
		a.Status = func() Status { return night(now) }
		a.Ready = func() error { return errors.New("kafka: 3 brokers, none answers") }
		a.Problems = &Problems{}
		a.Problems.add(Problem{At: Time(now), Level: "error", Text: "kafka is not usable, nothing is submitted until it is; error kafka: no broker answers", Times: 41})
	})
	calm := admin(func(a *Admin) {
		a.Status = func() Status {
			s := night(now)
			s.Line, s.Balance.Level, s.Balance.Amount = &Line{State: "open", Since: s.StartedAt}, "ok", "104211"
			s.Partitions = []Partition{{Partition: 0, Lag: 2, InFlight: 2, Watermark: 1}, {Partition: 3, Watermark: 1000}}
			s.Reports = &Reports{
				Published: &Delay{Reports: 1024, P50: 6, P99: 1480}, Final: &Delay{Reports: 1007, P50: 4120, P99: 392_000},
				Partitions: []ReportPartition{{Partition: 0, Lag: 3, Parked: 17}},
			}
			return s
		}
	})
	for name, c := range map[string]struct {
		admin *Admin
		shows []string
	}{
		"trouble": {trouble, []string{
			"Line held: insufficient_balance", "Top up the account. Commands wait, none is lost.", "Partition 3 halted", "smsbridge journal accept-loss",
			"Not ready: kafka: 3 brokers, none answers", "1204", "7m", "48211", "Delivery reports of partition 1 halted: the sendids topic was made anew", "kafka is not usable",
		}},
		"calm": {calm, []string{"All is well here.", "104211", "1.4s", "4.1s", "6m32s"}},
	} {
		server := httptest.NewServer(c.admin.Handler())
		defer server.Close()
		dom, log := browse(t, server.URL, "--dump-dom")
		for _, text := range c.shows {
			if !strings.Contains(dom, text) {
				t.Errorf("%s: no %q on the page:\n%s", name, text, dom)
			}
		}
		if strings.Contains(log, "Content Security Policy") || strings.Contains(log, "Refused to") {
			t.Errorf("%s: the page breaks its own policy: %s", name, log)
		}
		if dir := os.Getenv("PAGE_SHOTS"); dir != "" {
			browse(t, server.URL, "--window-size=1100,1150", "--screenshot="+filepath.Join(dir, name+"-desktop.png"))
			browse(t, server.URL, "--window-size=500,1500", "--screenshot="+filepath.Join(dir, name+"-phone.png"))
			browse(t, server.URL, "--window-size=1100,1150", "--blink-settings=preferredColorScheme=0", "--screenshot="+filepath.Join(dir, name+"-dark.png"))
		}
	}
}

func browse(t *testing.T, url string, flags ...string) (out, log string) {
	t.Helper()
	flags = append(flags, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--hide-scrollbars", "--enable-logging=stderr", "--user-data-dir="+t.TempDir(), url)
	cmd := exec.CommandContext(t.Context(), "chromium", flags...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, stderr.String())
	}
	return stdout.String(), stderr.String()
}
