package lab

import (
	"testing"
	"time"

	"smsbridge/cmd/smslab/broker"
	"smsbridge/cmd/smslab/trial"
)

// recorded is a recorder at an embedded broker of its own, without any connector.
func recorded(t *testing.T) *Recorder {
	t.Helper()
	s := &Stage{Topics: Topics{"sms."}, Group: "g"}
	b, err := broker.Start(t.Context(), broker.Config{
		Listen: "127.0.0.1:0", Partitions: 3, Topics: append(s.Topics.outputs(), s.Topics.Commands(), s.Topics.journal()),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	s.Cluster = NewCluster(b.Addr())
	r, err := Record(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func TestDeletedRecordsAndThoseAloneNeedNoResult(t *testing.T) {
	t.Parallel()
	r := recorded(t)
	for n := range 20 {
		r.Send(t.Context(), trial.Command{ID: "c", Key: KeyIn("k", int32(n%2), 3)}, []byte("{}"))
	}
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := r.DeleteHalf(t.Context(), 1); n != 5 || err != nil {
		t.Fatalf("%d deleted: %v", n, err)
	}
	for _, c := range r.history.Commands {
		if gone := c.Partition == 1 && c.Offset < 5; c.Gone != gone {
			t.Errorf("%v is gone: %v", c.Position, c.Gone)
		}
	}
	if n := r.unanswered(); n != 15 {
		t.Errorf("%d commands need a result", n)
	}
	starts, err := r.admin.ListStartOffsets(t.Context(), r.stage.Topics.Commands())
	if err != nil {
		t.Fatal(err)
	}
	if start, _ := starts.Lookup(r.stage.Topics.Commands(), 1); start.Offset != 5 {
		t.Errorf("the partition begins at %d", start.Offset)
	}
}

func TestBatchesThatNobodyCanReadAreTakenByTheBroker(t *testing.T) {
	t.Parallel()
	r := recorded(t)
	for n, garbage := range []bool{false, true} {
		at, err := r.Unreadable(t.Context(), 2, garbage)
		if err != nil || at != (trial.Position{Partition: 2, Offset: int64(n)}) {
			t.Fatalf("%v: %v", at, err)
		}
		if c := r.history.Commands[n]; c.Position != at || c.Mark != trial.Unreadable || c.Ends != "invalid" || time.Since(c.At) > time.Minute {
			t.Errorf("%+v", c)
		}
	}
}
