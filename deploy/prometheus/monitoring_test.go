//go:build monitoring

// Package prometheus tries alerts and dashboard on a real Prometheus that scrapes
// a connector to which everything happens that they are made for.
package prometheus

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"smsbridge/cmd/smslab/lab"
	"smsbridge/cmd/smslab/trial"
)

const (
	patience = 3 * time.Minute // for one alert
	span     = "20s"           // of the rules' ranges, here

	capPerMinute = 2000 // more than all but one cause need
)

// hurry makes rules that are meant for minutes and hours fire within seconds:
// what they look for stays the same, and promtool tests their true times.
func hurry(rules string) string {
	rules = regexp.MustCompile(`(?m)^ +for: .*\n`).ReplaceAllString(rules, "")
	rules = regexp.MustCompile(`\[\d+[mh]\]`).ReplaceAllString(rules, "["+span+"]")
	return strings.NewReplacer("5 * 60", "3", "> 1000", "> 100", "> 100 unless", "> 20 unless").Replace(rules)
}

// scene is a lab that a Prometheus watches.
type scene struct {
	t        *testing.T
	stage    *lab.Stage
	recorder *lab.Recorder
	base     string // Prometheus's address
	fired    map[string]bool
	sent     int
	pushes   int
}

func TestEveryAlertFiresByItsCauseAndEveryPanelHasData(t *testing.T) {
	s := &scene{t: t, fired: map[string]bool{}}
	s.raise()
	s.watch()
	connector := s.stage.Connectors[0]
	s.must(connector.Start())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s.must(connector.Ready(ctx))

	s.provoke("SmsbridgePartitionHalted", func(int) {}) // by the record that raise put into the journal
	s.provoke("SmsbridgeReportsHalted", func(int) {})   // by that of a newer program among the sendids
	s.provoke("SmsbridgeNoReports", func(int) { s.send(10, "13800000001", "fine") })
	s.provoke("SmsbridgeBalanceLow", func(int) { s.send(10, "13800000001", "fine") })
	s.provoke("SmsbridgeRefused", func(int) { s.send(10, "13800000001", "casino") })
	s.provoke("SmsbridgeDeadLetters", func(i int) { s.recorder.Send(t.Context(), trial.Command{Key: fmt.Sprint(i)}, []byte("no json")) })
	s.provoke("SmsbridgePushRefused", func(int) { s.push(s.strange(), false) })
	s.report(20) // partitions other than the halted one have some
	s.faults(map[string]any{"drop": 0.3})
	s.provoke("SmsbridgeUnknown", func(int) { s.send(3, "13800000001", "lost") })
	s.panels()
	s.faults(map[string]any{"drop": 0, "latency_min": "4s", "latency_max": "5s"})
	s.provoke("SmsbridgeCommandsWait", func(int) { s.send(40, "13800000001", "slow") })
	s.provoke("SmsbridgeLagGrows", func(int) { s.send(40, "13800000001", "slow") })
	s.faults(map[string]any{"latency_min": "0s", "latency_max": "0s"})
	s.provoke("SmsbridgeCapReached", func(int) { s.send(capPerMinute/4, "13800000001", "many") })
	s.faults(map[string]any{"code": "12"})
	s.provoke("SmsbridgeLineHeld", func(int) { s.send(1, "13800000001", "held") })
	s.stage.Broker.Kill()
	s.provoke("SmsbridgeKafkaAway", func(int) {})
	s.provoke("SmsbridgeSpoolFails", func(int) { s.push(s.strange(), true) })
	s.provoke("SmsbridgeNotReady", func(int) {})
	connector.Process.Kill()
	s.provoke("SmsbridgeDown", func(int) {})

	rules, err := os.ReadFile("alerts.yaml")
	s.must(err)
	for _, name := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
		if !s.fired[name[1]] {
			t.Errorf("%s was not provoked", name[1])
		}
	}
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) raise() {
	bin, err := filepath.Abs("../../bin")
	s.must(err)
	dir := s.t.TempDir()
	s.stage, err = lab.Raise(s.t.Context(), lab.Setup{
		Dir: dir, Binaries: lab.Binaries{Bridge: filepath.Join(bin, "smsbridge"), Lab: filepath.Join(bin, "smslab")},
		Partitions: 4, Connectors: 1, Session: 6 * time.Second, InFlight: 16,
		Settings: map[string]string{
			"BALANCE_INTERVAL": "1s", "BALANCE_LOW": "999990", "ORPHAN_AFTER": "1s",
			"CAP_PER_MINUTE": fmt.Sprint(capPerMinute),
			"PUSH_SPOOL_DIR": filepath.Join(dir, "spool"), "PUSH_SPOOL_MAX": "4KiB",
		},
		Provider: []string{"-balance", "1000000", "-sensitive", "casino", "-reports", "0"},
	})
	s.must(err)
	s.t.Cleanup(s.stage.Strike)
	s.recorder, err = lab.Record(s.t.Context(), s.stage, nil)
	s.must(err)
	s.t.Cleanup(s.recorder.Close)
	client, err := s.stage.Cluster.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	s.must(err)
	defer client.Close()
	s.must(client.ProduceSync(s.t.Context(),
		&kgo.Record{Topic: s.stage.Topics.Prefix + "bridge.journal", Partition: 3, Value: []byte("somebody else's")},
		&kgo.Record{Topic: s.stage.Topics.Prefix + "bridge.sendids", Partition: 3, Key: []byte("s"), Value: []byte(`{"v":999,"kind":"sent"}`)},
	).FirstErr())
}

// watch starts Prometheus over the connector.
func (s *scene) watch() {
	dir := s.t.TempDir()
	rules, err := os.ReadFile("alerts.yaml")
	s.must(err)
	s.must(os.WriteFile(filepath.Join(dir, "alerts.yaml"), []byte(hurry(string(rules))), 0o600))
	config, err := os.ReadFile("prometheus.yaml")
	s.must(err)
	text := strings.NewReplacer("15s", "1s", "smsbridge:9090", s.stage.Connectors[0].Admin).Replace(string(config))
	s.must(os.WriteFile(filepath.Join(dir, "prometheus.yaml"), []byte(text), 0o600))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	address := listener.Addr().String()
	s.must(listener.Close())
	s.base = "http://" + address + "/api/v1/"
	_, err = s.stage.Also(lab.Program{
		Name: "prometheus", Path: "/usr/bin/prometheus", Dir: dir, Env: os.Environ(),
		Args: []string{
			"--config.file=" + filepath.Join(dir, "prometheus.yaml"), "--storage.tsdb.path=" + filepath.Join(dir, "data"),
			"--web.listen-address=" + address, "--log.level=warn",
		},
	})
	s.must(err)
}

// provoke does something every second until an alert fires.
func (s *scene) provoke(alert string, cause func(i int)) {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for i := 0; ; i++ {
		cause(i)
		firing := s.query(`ALERTS{alertstate="firing"}`)
		for _, labels := range firing {
			s.fired[labels["alertname"]] = true
			if labels["alertname"] == alert {
				s.t.Logf("%s fired after %d s: %v", alert, i, labels)
				return
			}
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s does not fire; firing: %v", alert, slices.Collect(maps.Keys(s.fired)))
		}
		<-tick.C
	}
}

func (s *scene) send(n int, to, text string) {
	for range n {
		s.sent++
		id := fmt.Sprint("m-", s.sent)
		value, err := json.Marshal(map[string]string{"id": id, "to": to, "text": lab.Text(text, id)})
		s.must(err)
		s.recorder.Send(s.t.Context(), trial.Command{ID: id, Key: id}, value)
	}
}

// strange is a sendid that nobody knows.
func (s *scene) strange() string {
	s.pushes++
	return fmt.Sprintf("20260101%018d", s.pushes)
}

// report pushes the delivery of the first texts that were accepted.
func (s *scene) report(n int) {
	s.t.Helper()
	submits, _, err := s.stage.Provider.Ledger(s.t.Context())
	s.must(err)
	for _, submit := range submits {
		if submit.SendID != "" && n > 0 {
			s.push(submit.SendID, true)
			n--
		}
	}
}

func (s *scene) push(sendid string, genuine bool) {
	_, err := s.stage.Connectors[0].Forge(s.t.Context(), "report", lab.PushForm(genuine, url.Values{
		"sendid": {sendid}, "time": {"2026-01-01 00:00:00"}, "mobile": {"13800000001"}, "state": {"DELIVRD"},
	}))
	s.must(err)
}

func (s *scene) faults(change map[string]any) { s.must(s.stage.Provider.Faults(s.t.Context(), change)) }

// query returns the labels of what an expression gives; nothing while Prometheus
// is coming up.
func (s *scene) query(expr string) []map[string]string {
	s.t.Helper()
	resp, err := http.PostForm(s.base+"query", url.Values{"query": {expr}})
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	var answer struct {
		Error string
		Data  struct {
			Result []struct{ Metric map[string]string }
		}
	}
	if json.NewDecoder(resp.Body).Decode(&answer) != nil {
		return nil
	}
	if answer.Error != "" {
		s.t.Fatalf("%s: %s", expr, answer.Error)
	}
	list := make([]map[string]string, 0, len(answer.Data.Result))
	for _, r := range answer.Data.Result {
		list = append(list, r.Metric)
	}
	return list
}

// panels asks every query of the dashboard, as Grafana would.
func (s *scene) panels() {
	s.t.Helper()
	text, err := os.ReadFile("../grafana/dashboard.json")
	s.must(err)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	s.must(json.Unmarshal(text, &dashboard))
	asked := 0
	deadline := time.Now().Add(patience)
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			expr := strings.NewReplacer("$account", ".+", "$__rate_interval", "1m").Replace(target.Expr)
			for len(s.query(expr)) == 0 {
				if time.Now().After(deadline) {
					s.t.Fatalf("panel %q: no data for %s", p.Title, expr)
				}
				time.Sleep(time.Second) // until the next scrape
			}
			asked++
		}
	}
	if asked == 0 {
		s.t.Error("the dashboard asks nothing")
	}
	s.t.Logf("%d queries of the dashboard have data", asked)
}
