package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// Lean says where the lean loop works.
type Lean struct {
	Brokers           []string
	Commands, Results string // topics
	Group             string
	URL               string // of the provider
	Name, Password    string
	InFlight          int
}

// Run reads commands, submits them and writes results until ctx ends. It is tuned
// where kafka-go's and net/http's defaults would slow it down, and promises
// nothing: no order, no retry, offsets committed whatever came of the commands,
// results written with one acknowledgement and nobody waiting for it.
func (l Lean) Run(ctx context.Context) error {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: l.Brokers, GroupID: l.Group, Topic: l.Commands, StartOffset: kafka.FirstOffset,
		MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 250 * time.Millisecond, QueueCapacity: 1000, CommitInterval: time.Second,
	})
	writer := &kafka.Writer{
		Addr: kafka.TCP(l.Brokers...), Topic: l.Results, Balancer: kafka.Murmur2Balancer{},
		RequiredAcks: kafka.RequireOne, Async: true, BatchTimeout: 5 * time.Millisecond, BatchSize: 1000,
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: l.InFlight, IdleConnTimeout: time.Minute}, Timeout: time.Minute}
	messages := make(chan kafka.Message, l.InFlight) // each submit finds its next command waiting
	var work sync.WaitGroup
	for range l.InFlight {
		work.Go(func() {
			for m := range messages {
				l.handle(ctx, client, writer, m)
			}
		})
	}
	var err error
	for {
		var m kafka.Message
		if m, err = reader.ReadMessage(ctx); err != nil { // commits by itself
			break
		}
		messages <- m
	}
	close(messages)
	work.Wait()
	if ctx.Err() != nil {
		err = nil
	}
	return errors.Join(err, writer.Close(), reader.Close())
}

func (l Lean) handle(ctx context.Context, client *http.Client, writer *kafka.Writer, m kafka.Message) {
	var command struct {
		ID   string   `json:"id"`
		To   []string `json:"to"`
		Text string   `json:"text"`
	}
	status := "invalid"
	if json.Unmarshal(m.Value, &command) == nil {
		status = l.submit(ctx, client, command.To, command.Text)
	}
	result, err := json.Marshal(map[string]any{
		"command_id": command.ID, "status": status, "recipients": len(command.To), "at": time.Now().UTC(),
	})
	if err == nil {
		writer.WriteMessages(ctx, kafka.Message{Key: m.Key, Value: result}) //nolint:errcheck // it promises nothing
	}
}

func (l Lean) submit(ctx context.Context, client *http.Client, to []string, text string) (status string) {
	form := url.Values{
		"name": {l.Name}, "pwd": {l.Password}, "content": {text}, "mobile": {strings.Join(to, ",")}, "sign": {"Lab"}, "type": {"pt"},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return "failed"
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(req)
	if err != nil {
		return "unknown"
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	answer, err := io.ReadAll(resp.Body)
	if code, _, _ := strings.Cut(string(answer), ","); err != nil || strings.TrimSpace(code) != "0" {
		return fmt.Sprintf("code %s", code)
	}
	return "accepted"
}
