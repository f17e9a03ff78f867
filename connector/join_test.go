package connector

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestResultsAndReportsAreJoinedPartitionByPartition is the join of the README: who
// reads one partition of each of the two topics has all that belongs together.
func TestResultsAndReportsAreJoinedPartitionByPartition(t *testing.T) {
	l := newLab(t)
	const commands = 20
	for i := range commands {
		l.produce(&kgo.Record{Key: fmt.Appendf(nil, "customer-%d", i%7), Value: fmt.Appendf(nil, `{"id":"c%d","to":"1380000%04d","text":"t"}`, i, i)})
	}
	pushURL, _ := l.start(nil)
	for id, results := range l.results(commands) {
		l.push(pushURL+"report", url.Values{
			"sendid": {results[0].MessageID}, "mobile": {"13800000000"}, "state": {"DELIVRD"}, "time": {"2026-01-01 8:00:00"},
		}, http.StatusOK)
		if len(results) != 1 {
			t.Errorf("%s has %d results", id, len(results))
		}
	}

	type row struct {
		CommandID string `json:"command_id"`
		Status    string `json:"status"`
	}
	tables := make([]map[string]row, partitions) // one of each task: it sees its own partition alone
	for i := range tables {
		tables[i] = map[string]row{}
	}
	decode := func(r *kgo.Record) (v row) {
		if err := json.Unmarshal(r.Value, &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, r := range l.read(testTopics.Results, commands) {
		v := decode(r)
		tables[r.Partition][v.CommandID] = v
	}
	joined := 0
	for _, r := range l.read(testTopics.Reports, commands) {
		report := decode(r)
		if result, ok := tables[r.Partition][report.CommandID]; ok && result.Status == "accepted" && report.Status == "delivered" {
			joined++
		}
	}
	if joined != commands {
		t.Errorf("%d of %d joined within their partition", joined, commands)
	}
}
