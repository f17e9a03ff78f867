package control

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/submit"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// put has a board take the records of these messages.
func put(t *testing.T, b *Board, messages ...kafkaio.Message) {
	t.Helper()
	for _, m := range messages {
		if err := b.take(&kafkaio.Record{Key: m.Key, Value: m.Value}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestACancellationIsAboutWhatWasProducedBeforeItAndFitsInEverything(t *testing.T) {
	t.Parallel()
	before := sms.Command{ID: "a", Class: sms.Marketing, Metadata: map[string]string{"campaign": "x", "tenant": "y"}, At: noon.Add(-time.Second)}
	for name, tc := range map[string]struct {
		cancel Cancellation
		change func(*sms.Command)
		want   submit.Order
	}{
		"everything":             {Cancellation{}, nil, submit.Cancel},
		"what came later":        {Cancellation{}, func(c *sms.Command) { c.At = noon }, submit.Proceed},
		"what has no time":       {Cancellation{}, func(c *sms.Command) { c.At = time.Time{} }, submit.Cancel},
		"its id":                 {Cancellation{ID: "a"}, nil, submit.Cancel},
		"another id":             {Cancellation{ID: "b"}, nil, submit.Proceed},
		"its class":              {Cancellation{Class: sms.Marketing}, nil, submit.Cancel},
		"another class":          {Cancellation{Class: sms.OTP}, nil, submit.Proceed},
		"its metadata":           {Cancellation{Metadata: map[string]string{"campaign": "x"}}, nil, submit.Cancel},
		"one of two metadata":    {Cancellation{Metadata: map[string]string{"campaign": "x", "tenant": "z"}}, nil, submit.Proceed},
		"metadata that it lacks": {Cancellation{Metadata: map[string]string{"other": ""}}, nil, submit.Proceed},
		"its class, another id":  {Cancellation{Class: sms.Marketing, ID: "b"}, nil, submit.Proceed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := before
			if tc.change != nil {
				tc.change(&cmd)
			}
			tc.cancel.Before = noon
			b := NewBoard(slog.New(slog.DiscardHandler))
			put(t, b, CancelRecord("t", tc.cancel, Author{}, noon))
			if got, _ := b.Standing(&cmd); got != tc.want {
				t.Errorf("order %d, want %d", got, tc.want)
			}
		})
	}
}

func TestAClassIsHeldUntilItIsResumedAndWhoWaitsIsTold(t *testing.T) {
	t.Parallel()
	b := NewBoard(slog.New(slog.DiscardHandler))
	cmd := &sms.Command{Class: sms.OTP, At: noon}
	put(t, b, HoldRecord("t", sms.OTP, true, Author{By: "ops@host", Reason: "spring"}, noon), HoldRecord("t", sms.Marketing, true, Author{By: "ops@host", Reason: "spring"}, noon))
	order, changed := b.Standing(cmd)
	if order != submit.Hold || len(b.Held()) != 2 {
		t.Fatalf("order %d, held %v", order, b.Held())
	}
	put(t, b, HoldRecord("t", sms.OTP, false, Author{By: "ops@host", Reason: "spring"}, noon))
	select {
	case <-changed.Done():
	default:
		t.Error("who waits is not told")
	}
	if order, _ := b.Standing(cmd); order != submit.Proceed || len(b.Held()) != 1 {
		t.Errorf("order %d, held %v", order, b.Held())
	}
}

func TestWhatOnlyANewerProgramUnderstandsHoldsEverything(t *testing.T) {
	t.Parallel()
	b := NewBoard(slog.New(slog.DiscardHandler))
	if err := b.take(&kafkaio.Record{Key: []byte("class/otp"), Value: []byte(`{"v":2,"at":"2026-01-01T00:00:00Z"}`)}); err == nil {
		t.Error("not told")
	}
	if order, _ := b.Standing(&sms.Command{Class: sms.Notice}); order != submit.Hold || len(b.Held()) != len(Classes) {
		t.Errorf("order %d, held %v", order, b.Held())
	}
}

func TestWhatIsNoOrderChangesNothing(t *testing.T) {
	t.Parallel()
	for name, rec := range map[string]kafkaio.Record{
		"no JSON":           {Key: []byte("class/otp"), Value: []byte("{")},
		"empty":             {Key: []byte("class/otp"), Value: []byte("{}")},
		"under another key": {Key: []byte("cancel/1"), Value: HoldRecord("t", sms.OTP, true, Author{By: "ops@host", Reason: "spring"}, noon).Value},
	} {
		b := NewBoard(slog.New(slog.DiscardHandler))
		if err := b.take(&rec); err == nil {
			t.Errorf("%s: not told", name)
		}
		if order, _ := b.Standing(&sms.Command{Class: sms.OTP}); order != submit.Proceed {
			t.Errorf("%s: order %d", name, order)
		}
	}
}

func TestOrdersOfTheTopicStandBeforeCatchUpReturnsAndFollowAfterwards(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "orders"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	writer, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	write := func(m kafkaio.Message) {
		t.Helper()
		if err := writer.ProduceSync(t.Context(), &kgo.Record{Topic: m.Topic, Key: m.Key, Value: m.Value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	client, err := kafkaio.Open(kafkaio.Config{Brokers: cluster.ListenAddrs(), ClientID: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	for _, class := range Classes {
		write(HoldRecord("orders", class, true, Author{By: "ops@host", Reason: "spring"}, noon))
	}
	write(HoldRecord("orders", sms.OTP, false, Author{By: "ops@host", Reason: "spring"}, noon))
	board := NewBoard(slog.New(slog.DiscardHandler))
	f := kafkaio.Follower{Topic: "orders", Client: client, Take: board.Take}
	if err := f.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if held := board.Held(); len(held) != 2 {
		t.Fatalf("held %v", held)
	}

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	marketing := &sms.Command{Class: sms.Marketing, At: noon}
	_, changed := board.Standing(marketing)
	write(HoldRecord("orders", sms.Marketing, false, Author{By: "ops@host", Reason: "spring"}, noon))
	<-changed.Done()
	if order, _ := board.Standing(marketing); order != submit.Proceed {
		t.Errorf("order %d", order)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
