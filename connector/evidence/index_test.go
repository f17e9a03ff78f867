package evidence

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"
	"time"

	"smsbridge/connector/journal"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func doubtOf(offset int64, numbers ...Number) *Doubt {
	return &Doubt{
		Topic: testTopic, Partition: 0, Ref: journal.Ref{Offset: offset, ID: fmt.Sprint("c", offset), Fingerprint: journal.Fingerprint{1}},
		Part: 1, First: 500, Last: 500 + len(numbers) - 1, Numbers: numbers, From: noon, Until: noon.Add(time.Second),
	}
}

// told is an Index that knows a doubt, and that nothing else is open.
func told(t *testing.T, d *Doubt) *Index {
	t.Helper()
	x := NewIndex(testTopic, 1, testDeadline)
	read(t, x, DoubtRecord("doubts", d).Value)
	read(t, x, SettledRecord("doubts", testTopic, 0, noon.Add(time.Hour)).Value)
	return x
}

func read(t *testing.T, x *Index, value []byte) {
	t.Helper()
	if err := x.Read(noon, value); err != nil {
		t.Fatal(err)
	}
}

func TestDoubtIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	want := doubtOf(7, number(1), number(2))
	x := told(t, want)
	got, ok := x.Match(noon, sendid(noon, 1, false), number(2))
	if !ok || !reflect.DeepEqual(&got, want) {
		t.Errorf("read %+v, wrote %+v", got, want)
	}
	e := got.Evidence(sendid(noon, 1, false))
	if e.Ref != want.Ref || e.Part != 1 || !e.Taken.Equal(noon) {
		t.Errorf("evidence %+v", e)
	}
}

func TestDoubtShowsNoNumber(t *testing.T) {
	t.Parallel()
	const digits = "13800000001"
	m := DoubtRecord("doubts", doubtOf(7, NumberOf([]byte("key"), digits)))
	if bytes.Contains(m.Value, []byte(digits[3:])) || bytes.Contains(m.Key, []byte(digits[3:])) {
		t.Errorf("%s", m.Value)
	}
	if NumberOf([]byte("key"), digits) == NumberOf([]byte("another"), digits) {
		t.Error("the hash does not depend on its key")
	}
}

func TestMatchNeedsAllThatIsKnown(t *testing.T) {
	t.Parallel()
	id := sendid(noon, 1, false)
	for name, tc := range map[string]struct {
		spoil func(*testing.T, *Index)
		now   time.Time
		ok    bool
	}{
		"nothing against it": {func(*testing.T, *Index) {}, noon, true},
		"a partition was added": {func(_ *testing.T, x *Index) {
			x.Expect(2)
		}, noon, false},
		"a partition of which another says something": {func(t *testing.T, x *Index) {
			t.Helper()
			read(t, x, SettledRecord("doubts", testTopic, 2, noon.Add(time.Hour)).Value)
		}, noon, false},
		"a record that cannot be read": {func(t *testing.T, x *Index) {
			t.Helper()
			if x.Read(noon, []byte(`{"v":1,"kind":"doubt","topic":"sms.commands"}`)) == nil || x.Read(noon, []byte("?")) == nil {
				t.Error("no error")
			}
		}, noon, false},
		"a record of a newer version": {func(t *testing.T, x *Index) {
			t.Helper()
			if x.Read(noon, []byte(`{"v":2,"kind":"doubt","topic":"sms.commands"}`)) == nil {
				t.Error("no error")
			}
		}, noon, false},
		"doubts that are too many to be kept": {func(t *testing.T, x *Index) {
			t.Helper()
			d := doubtOf(9, make([]Number, 50_000)...)
			for n := range int64(5) {
				d.Ref.Offset = n
				read(t, x, DoubtRecord("doubts", d).Value)
			}
		}, noon, false},
		"a doubt of another topic": {func(t *testing.T, x *Index) {
			t.Helper()
			d := doubtOf(9, number(1))
			d.Topic = "otp.commands"
			read(t, x, DoubtRecord("doubts", d).Value)
		}, noon, true},
		"another sendid was found to be the doubt's": {func(t *testing.T, x *Index) {
			t.Helper()
			if _, ok := x.Match(noon, sendid(noon, 2, false), number(1)); !ok {
				t.Error("not found")
			}
		}, noon, false},
		"the same sendid was": {func(t *testing.T, x *Index) {
			t.Helper()
			if _, ok := x.Match(noon, id, number(1)); !ok {
				t.Error("not found")
			}
		}, noon, true},
		"doubts of that time may be forgotten": {func(*testing.T, *Index) {}, noon.Add(testDeadline + time.Second), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := told(t, doubtOf(7, number(1)))
			tc.spoil(t, x)
			if d, ok := x.Match(tc.now, id, number(1)); ok != tc.ok || ok && d.Ref.Offset != 7 {
				t.Errorf("matched %v: %+v", ok, d.Ref)
			}
		})
	}
}

func TestDoubtsAreForgottenInTheEnd(t *testing.T) {
	t.Parallel()
	x := told(t, doubtOf(7, number(1), number(2)))
	if err := x.Read(noon.Add(testDeadline+2*Slack), SettledRecord("doubts", testTopic, 0, noon).Value); err != nil {
		t.Fatal(err)
	}
	if len(x.byNumber) > 0 || len(x.byPart) > 0 || x.numbers != 0 {
		t.Errorf("kept %d numbers of %d parts", x.numbers, len(x.byPart))
	}
}

func FuzzRead(f *testing.F) {
	f.Add(DoubtRecord("doubts", doubtOf(7, number(1))).Value)
	f.Add(SettledRecord("doubts", testTopic, 3, noon).Value)
	f.Fuzz(func(t *testing.T, value []byte) {
		x := NewIndex(testTopic, 1, testDeadline)
		if err := x.Read(noon, value); err != nil && x.blind.IsZero() {
			t.Error("what could not be read is passed over")
		}
		x.Match(noon, sendid(noon, 1, false), number(1))
	})
}
