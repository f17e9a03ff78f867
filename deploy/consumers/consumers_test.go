//go:build realkafka

// Package consumers runs the examples for other programs on a real Kafka.
package consumers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"smsbridge/cmd/smslab/lab"
)

const (
	commands = 40
	patience = 2 * time.Minute
	library  = "confluent-kafka==2.16.1"
)

// seen is what the results say, as this test reads them.
type seen struct {
	mu         sync.Mutex
	statuses   map[string]int
	partitions map[string]map[int32]bool // of the commands, by key
}

func (s *seen) take(o lab.Output) {
	if o.Topic != "results" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses[o.Status]++
	if s.partitions[o.Key] == nil {
		s.partitions[o.Key] = map[int32]bool{}
	}
	s.partitions[o.Key][o.Command.Partition] = true
}

func (s *seen) await(t *testing.T, status string, want int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		s.mu.Lock()
		got := s.statuses[status]
		s.mu.Unlock()
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d commands are answered %s, want %d: %v", got, status, want, s.statuses)
		}
	}
}

// The same ids with the same keys by every producer that the README names: all but
// the first producer's are repeats, as they are in the same partitions.
func TestEveryProducersRepeatsAreRecognisedAndEveryConsumerSeesTheSame(t *testing.T) {
	python := environment(t)
	brokers := os.Getenv("KAFKA_BROKERS")
	stage, results := raise(t)
	topic := stage.Topics.Commands()
	var lines bytes.Buffer
	for i := range commands {
		fmt.Fprintf(&lines, "order-%d|{\"id\":\"c-%d\",\"to\":\"1380000%04d\",\"text\":\"Your parcel has arrived.\"}\n", i, i, i)
	}
	byKafkaGo(t, brokers, topic, lines.String())
	results.await(t, "accepted", commands)
	repeats := 0
	for name, produce := range map[string]func(){
		"Go, franz-go": func() { byFranz(t, stage, lines.String()) },
		"kcat": func() {
			run(t, lines.String(), "kcat", "-b", brokers, "-t", topic, "-P", "-K", "|", "-X", "topic.partitioner=murmur2_random")
		},
		"Python": func() { run(t, lines.String(), python, "commands.py", brokers, topic) },
		"Java": func() {
			run(t, lines.String(), os.Getenv("KAFKA_SH"), "tool", "org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", brokers,
				"--topic", topic, "--reader-property", "parse.key=true", "--reader-property", "key.separator=|")
		},
	} {
		produce()
		repeats += commands
		results.await(t, "duplicate", repeats)
		t.Logf("%s: %d repeats, every one in its first's partition and answered duplicate", name, commands)
	}
	for key, partitions := range results.partitions {
		if len(partitions) != 1 {
			t.Errorf("%s was put into %v", key, partitions)
		}
	}

	want := fmt.Sprintf(`{"rows":%d,"commands":%d,"statuses":{"accepted":%d}}`, commands+repeats, commands, commands)
	read := run(t, "", "kcat", "-b", brokers, "-t", stage.Topics.Results(), "-C", "-o", "beginning", "-e", "-q")
	for name, got := range map[string]string{
		"kcat and jq":   run(t, read, "jq", "-n", "-c", "-f", "latest.jq"),
		"Python":        run(t, "", python, "results.py", brokers, stage.Topics.Results()),
		"Kafka Connect": run(t, connect(t, brokers, stage.Topics.Results(), commands+repeats), "jq", "-n", "-c", "-f", "latest.jq"),
	} {
		t.Logf("%s: %s", name, strings.TrimSpace(got))
		if !same(t, got, want) {
			t.Errorf("%s sees %s, want %s", name, got, want)
		}
	}
}

// environment makes a Python with the library, and returns its path.
func environment(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	run(t, "", "python3", "-m", "venv", dir)
	python := filepath.Join(dir, "bin", "python")
	run(t, "", python, "-m", "pip", "install", "--quiet", library)
	return python
}

func raise(t *testing.T) (*lab.Stage, *seen) {
	t.Helper()
	bin, err := filepath.Abs("../../bin")
	must(t, err)
	stage, err := lab.Raise(t.Context(), lab.Setup{
		Dir: t.TempDir(), Binaries: lab.Binaries{Bridge: filepath.Join(bin, "smsbridge"), Lab: filepath.Join(bin, "smslab")},
		Partitions: 6, Connectors: 1, Session: 10 * time.Second, InFlight: 16, Provider: []string{"-reports", "0"},
	})
	must(t, err)
	t.Cleanup(stage.Strike)
	s := &seen{statuses: map[string]int{}, partitions: map[string]map[int32]bool{}}
	recorder, err := lab.Record(t.Context(), stage, s.take)
	must(t, err)
	t.Cleanup(recorder.Close)
	must(t, stage.Connectors[0].Start())
	return stage, s
}

func byKafkaGo(t *testing.T, brokers, topic, lines string) {
	t.Helper()
	w := &kafka.Writer{
		Addr: kafka.TCP(strings.Split(brokers, ",")...), Topic: topic, Balancer: kafka.Murmur2Balancer{},
		RequiredAcks: kafka.RequireAll, BatchTimeout: 10 * time.Millisecond,
	}
	var messages []kafka.Message
	for line := range strings.Lines(lines) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "|")
		messages = append(messages, kafka.Message{Key: []byte(key), Value: []byte(value)})
	}
	must(t, w.WriteMessages(t.Context(), messages...))
	must(t, w.Close())
}

func byFranz(t *testing.T, stage *lab.Stage, lines string) {
	t.Helper()
	client, err := stage.Cluster.Client(kgo.DefaultProduceTopic(stage.Topics.Commands()))
	must(t, err)
	defer client.Close()
	for line := range strings.Lines(lines) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "|")
		must(t, client.ProduceSync(t.Context(), &kgo.Record{Key: []byte(key), Value: []byte(value)}).FirstErr())
	}
}

// connect runs the sink until it has written so many rows, and returns them.
func connect(t *testing.T, brokers, topic string, rows int) string {
	t.Helper()
	dir := t.TempDir()
	out := filepath.Join(dir, "results.jsonl")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, listener.Close())
	change := strings.NewReplacer(
		"bootstrap.servers=localhost:9092", "bootstrap.servers="+brokers, "http://127.0.0.1:8083", "http://"+listener.Addr().String(),
		"plugin.path=", "# ", // the test's Kafka has it on its class path
		"/tmp/sms-connect.offsets", filepath.Join(dir, "offsets"), "/tmp/sms-results.jsonl", out, `"topics": "sms.results"`, fmt.Sprintf(`"topics": %q`, topic))
	for _, name := range []string{"connect-worker.properties", "connect-sink.json"} {
		text, err := os.ReadFile(name)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(change.Replace(string(text))), 0o600))
	}
	process, err := lab.Run(lab.Program{
		Name: "connect", Path: os.Getenv("KAFKA_SH"), Dir: dir, Env: append(os.Environ(), "KAFKA_TOOL_HEAP=256m"),
		Args: []string{"tool", "org.apache.kafka.connect.cli.ConnectStandalone", filepath.Join(dir, "connect-worker.properties"), filepath.Join(dir, "connect-sink.json")},
	})
	must(t, err)
	defer process.Kill()
	for deadline := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		text, err := os.ReadFile(out)
		if err == nil && bytes.Count(text, []byte("\n")) >= rows {
			return string(text)
		}
		if err := process.Unasked(); err != nil || time.Now().After(deadline) {
			log, _ := os.ReadFile(process.Log)
			t.Fatalf("the sink wrote %d of %d rows: %v\n%s", bytes.Count(text, []byte("\n")), rows, err, log)
		}
	}
}

// run returns what a program writes to its standard output.
func run(t *testing.T, input string, command ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = strings.NewReader(input), &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command[0], err, stderr.String())
	}
	return string(out)
}

func same(t *testing.T, a, b string) bool {
	t.Helper()
	var left, right any
	must(t, json.Unmarshal([]byte(a), &left))
	must(t, json.Unmarshal([]byte(b), &right))
	return reflect.DeepEqual(left, right)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
