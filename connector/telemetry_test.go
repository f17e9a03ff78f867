package connector

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// everyLabel is every label of our own metrics with every value that it may
// have. A label that is not here, or a value that an outsider could choose, makes
// a time series for each.
var everyLabel = map[string]*regexp.Regexp{
	"smsbridge_account":             oneOf("default"),
	"partition":                     oneOf("0", "1", "2", "3"),
	"status":                        oneOf("accepted", "partially_accepted", "rejected", "failed", "expired", "cancelled", "unknown", "duplicate", "invalid"),
	"reason":                        regexp.MustCompile(`^[a-z_]*$`),
	"class":                         oneOf("otp", "notice", "marketing"),
	"operation":                     oneOf("submit", "balance"),
	"kind":                          oneOf("report", "inbound", "none"),
	"outcome":                       regexp.MustCompile(`^[a-z_]+$`),
	"cause":                         regexp.MustCompile(`^[a-z_]+$`),
	"source":                        oneOf("command", "push_report", "push_inbound"),
	"correlation":                   oneOf("matched", "inferred", "orphan"),
	"record":                        regexp.MustCompile(`^[a-z_]+$`),
	"messaging_system":              oneOf("kafka"),
	"messaging_operation_name":      oneOf("process"),
	"messaging_destination_name":    oneOf(testTopics.Commands),
	"messaging_consumer_group_name": oneOf("g"),
}

func oneOf(values ...string) *regexp.Regexp {
	return regexp.MustCompile("^(" + strings.Join(values, "|") + ")$")
}

func TestMetricLabelsAreBoundedAndNoMetricIsMissing(t *testing.T) {
	l, w := newLab(t), newWatch(t)
	l.produce(command("c1", "k", ""), command("c1", "k", ""), command("otp", "", `,"class":"otp"`),
		&kgo.Record{Key: []byte("13800000001"), Value: []byte("no json")},
		command("bad", "k", `,"class":"nobody"`))
	pushURL, _ := l.start(w.over)
	l.read(testTopics.Results, 5)
	l.push(pushURL+"report", url.Values{"sendid": {"20260101000000000000001"}, "mobile": {"13800000000"}, "state": {"13800000000"}, "time": {"2026-01-01 8:00:00"}}, http.StatusOK)
	l.push(pushURL+"inbound", url.Values{"args": {"13900000000 no args"}}, http.StatusOK)
	l.read(testTopics.Reports, 1)
	l.push(pushURL+"report", url.Values{"name": {"13800000002"}}, http.StatusUnauthorized)
	l.push(pushURL+"13800000003", nil, http.StatusNotFound)

	families, err := w.telemetry.Gatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, family := range families {
		name := family.GetName()
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") || name == "target_info" {
			continue
		}
		named[name] = true
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				values := everyLabel[label.GetName()]
				if values == nil || !values.MatchString(label.GetValue()) {
					t.Errorf("%s has the label %s=%q", name, label.GetName(), label.GetValue())
				}
			}
		}
	}
	for _, name := range []string{
		"messaging_client_consumed_messages_total", "smsbridge_commands_in_progress", "smsbridge_group_assignments_total",
		"smsbridge_partition_lag", "smsbridge_partition_in_flight", "smsbridge_partition_halted_ratio",
		"smsbridge_dead_letters_total", "smsbridge_submit_results_total", "smsbridge_submit_latency_seconds", "smsbridge_submit_in_flight",
		"smsbridge_line_held_ratio", "smsbridge_provider_request_duration_seconds", "smsbridge_push_requests_total",
		"smsbridge_journal_commits_total", "smsbridge_partition_oldest_seconds", "smsbridge_ready_ratio", "smsbridge_kafka_usable_ratio", "smsbridge_balance", "smsbridge_balance_low_ratio",
		"smsbridge_commands_held_ratio", "smsbridge_correlate_reports_total", "smsbridge_correlate_lag", "smsbridge_correlate_parked",
	} {
		if !named[name] {
			t.Errorf("no %s among %v", name, slices.Sorted(maps.Keys(named)))
		}
	}
	_, text := w.get("/metrics")
	for _, line := range []string{
		`smsbridge_dead_letters_total{cause="unreadable",smsbridge_account="default",source="command"} 2`,
		`smsbridge_dead_letters_total{cause="unreadable",smsbridge_account="default",source="push_inbound"} 1`,
		`smsbridge_group_assignments_total{smsbridge_account="default"} 1`,
		`smsbridge_commands_in_progress{smsbridge_account="default"} 0`,
		`smsbridge_partition_lag{partition="0",smsbridge_account="default"} 0`,
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no %s in\n%s", line, text)
		}
	}
}

func TestOneTraceLeadsFromTheCommandThroughTheSubmitToResultAndReport(t *testing.T) {
	const traceID, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	l, w := newLab(t), newWatch(t)
	rec := command("c1", "13800000000", "")
	rec.Headers = []kgo.RecordHeader{{Key: "traceparent", Value: []byte("00-" + traceID + "-" + parent + "-01")}}
	l.produce(rec)
	pushURL, stop := l.start(w.over)
	result := l.read(testTopics.Results, 1)[0]
	l.push(pushURL+"report", url.Values{
		"sendid": {decodeEvent(t, result).MessageID}, "mobile": {"13800000000"}, "state": {"DELIVRD"}, "time": {"2026-01-01 8:00:00"},
	}, http.StatusOK)
	report := l.read(testTopics.Reports, 1)[0]
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	spans := map[string]sdktrace.ReadOnlySpan{}
	for _, s := range w.spans.Ended() {
		if s.SpanContext().TraceID().String() == traceID {
			spans[s.Name()] = s
		}
	}
	process, post, told := spans["process "+testTopics.Commands], spans["POST submit"], spans["send "+testTopics.Reports]
	if process == nil || post == nil || told == nil {
		t.Fatalf("spans of the trace: %v", slices.Collect(maps.Keys(spans)))
	}
	if process.SpanKind() != trace.SpanKindConsumer || process.Parent().SpanID().String() != parent {
		t.Errorf("the command's span is a %v of %v", process.SpanKind(), process.Parent().SpanID())
	}
	if post.SpanKind() != trace.SpanKindClient || post.Parent().SpanID() != process.SpanContext().SpanID() {
		t.Errorf("the submit's span is a %v of %v", post.SpanKind(), post.Parent().SpanID())
	}
	if told.SpanKind() != trace.SpanKindProducer || told.Parent().SpanID() != process.SpanContext().SpanID() {
		t.Errorf("the report's span is a %v of %v", told.SpanKind(), told.Parent().SpanID())
	}
	want := map[string]string{
		"messaging.system": "kafka", "messaging.destination.name": testTopics.Commands,
		"messaging.destination.partition.id": fmt.Sprint(rec.Partition), "messaging.kafka.offset": fmt.Sprint(rec.Offset),
		"messaging.consumer.group.name": "g", "messaging.operation.type": "process", "smsbridge.result.status": "accepted",
	}
	holds(t, process, want)
	holds(t, told, map[string]string{
		"messaging.destination.name": testTopics.Reports, "smsbridge.command.id": "c1", "smsbridge.report.status": "delivered", "smsbridge.report.correlation": "matched",
	})
	holds(t, post, map[string]string{"http.request.method": "POST", "http.response.status_code": "200", "server.address": "127.0.0.1"})
	for _, r := range []*kgo.Record{result, report} {
		if got := header(r, "traceparent"); got != "00-"+traceID+"-"+process.SpanContext().SpanID().String()+"-01" {
			t.Errorf("%s: traceparent %q", r.Topic, got)
		}
	}
	for name, s := range spans {
		for _, a := range s.Attributes() {
			if v := a.Value.String(); strings.Contains(v, "13800000000") || strings.Contains(v, "text of") || strings.Contains(v, "://") {
				t.Errorf("span %s: %s holds %q", name, a.Key, v)
			}
		}
	}
}

func holds(t *testing.T, s sdktrace.ReadOnlySpan, want map[string]string) {
	t.Helper()
	set := attribute.NewSet(s.Attributes()...)
	for key, value := range want {
		if got, ok := set.Value(attribute.Key(key)); !ok || got.String() != value {
			t.Errorf("span %s: %s is %q, want %q", s.Name(), key, got.String(), value)
		}
	}
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// push sends a push with credentials that are right where the form has none.
func (l *lab) push(to string, form url.Values, want int) {
	l.t.Helper()
	if got := l.pushed(to, form); got != want {
		l.t.Fatalf("push answered %d, want %d", got, want)
	}
}

func (l *lab) pushed(to string, form url.Values) int {
	l.t.Helper()
	with := url.Values{"name": {"push"}, "pwd": {"secret"}}
	maps.Copy(with, form)
	res, err := impatient.PostForm(to, with)
	if err != nil {
		l.t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

func TestStatusTellsHowLongReportsTake(t *testing.T) {
	l, w := newLab(t), newWatch(t)
	l.produce(command("c1", "k", ""))
	pushURL, _ := l.start(w.over)
	result := l.read(testTopics.Results, 1)[0]
	l.push(pushURL+"report", url.Values{
		"sendid": {decodeEvent(t, result).MessageID}, "mobile": {"13800000000"}, "state": {"DELIVRD"}, "time": {"2026-01-01 8:00:00"},
	}, http.StatusOK)
	eventually(t, func() error {
		_, body := w.get("/api/status")
		var told struct {
			Reports struct{ Published, Final struct{ Reports int } }
		}
		if err := json.Unmarshal([]byte(body), &told); err != nil {
			return err
		}
		if told.Reports.Published.Reports != 1 || told.Reports.Final.Reports != 1 {
			return fmt.Errorf("no delay of one report: %s", body)
		}
		return nil
	})
}
