package journal

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
)

func samples() map[string]record {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	base := record{
		owner: 1 << 63, gen: 7, group: "smsbridge", names: -1,
		ref: Ref{Offset: 42, ID: "order-1", Fingerprint: FingerprintOf([]byte("k"), []byte("v"))},
	}
	came := sms.Submission{
		Part: 1, First: 500, Last: 501, Status: sms.Rejected, Reason: sms.ContentRejected, ProviderCode: "17", ProviderText: "no",
		Recipients: 2, Invalid: 1, Attempts: 3, SubmittedAt: at, Latency: time.Second, PossibleDuplicate: true,
	}
	with := func(change func(*record)) record {
		r := base
		change(&r)
		return r
	}
	return map[string]record{
		"intent": with(func(r *record) {
			r.kind, r.part, r.first, r.last, r.attempt, r.flagged, r.expires = intent, 1, 500, 999, 2, true, at
		}),
		"released": with(func(r *record) { r.kind, r.names = released, 9 }),
		"done": with(func(r *record) {
			r.kind, r.names, r.came, r.part, r.first, r.last = done, 9, came, 1, 500, 501
		}),
		"final with an outcome": with(func(r *record) {
			r.kind, r.names, r.came, r.part, r.first, r.last = final, 9, came, 1, 500, 501
			r.status, r.revision, r.sent = sms.Rejected, 1, []int{0, 1}
			r.message = kafkaio.Message{
				Topic: "sms.results", Partition: 3, Key: []byte{}, Value: []byte("{}"),
				Headers: []kafkaio.Header{{Key: "ce_id", Value: []byte("1")}},
			}
		}),
		"adopted":  with(func(r *record) { r.kind, r.from = adopted, "elsewhere" }),
		"pardoned": with(func(r *record) { r.kind, r.metadata, r.until = pardoned, `{"v":1}`, 50 }),
		"evidence": with(func(r *record) {
			r.kind, r.owner, r.gen, r.part, r.sendid, r.taken = evidence, 0, 0, 2, "20260102030405678123", at
		}),
		"final alone": with(func(r *record) { r.kind, r.status, r.message.Value = final, sms.Expired, []byte{} }),
	}
}

func TestRecordsAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	for name, r := range samples() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := reread(r.encode(nil))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, r) {
				t.Errorf("read  %+v\nwrote %+v", got, r)
			}
		})
	}
}

// reread reads a record as one that can be written again.
func reread(value []byte) (record, error) {
	r, err := decode(value)
	if r.kind == final {
		r.message, r.packed = r.unpack(), nil
	}
	return r, err
}

func TestRecordOfANewerFormatIsToldApart(t *testing.T) {
	t.Parallel()
	r := samples()["intent"]
	b := r.encode(nil)
	b[0] = format + 1
	if _, err := decode(b); !errors.Is(err, errFormat) {
		t.Errorf("error %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, r := range samples() {
		f.Add(r.encode(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := reread(b)
		if err != nil {
			return
		}
		again, err := reread(r.encode(nil))
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if !bytes.Equal(again.encode(nil), r.encode(nil)) {
			t.Errorf("read %+v, then %+v", r, again)
		}
	})
}

func TestMetadataIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	m := metadata{Version: metadataFormat, Owner: 1<<64 - 1, Base: 1 << 60, Fenced: 1<<60 + 5, Replay: 3, Tail: 2}
	got, err := parseMetadata(m.String())
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("read %+v, wrote %+v, error %v", got, m, err)
	}
	if len(m.String()) > 200 {
		t.Errorf("%d bytes", len(m.String()))
	}
}

func TestMetadataPassesOnWhatIsPublishedWithinTheBrokersLimit(t *testing.T) {
	t.Parallel()
	const committed = 1<<50 + 5
	m := metadata{Version: format, Owner: 1<<64 - 1, Base: 1 << 60, Fenced: 1<<60 + 5, Replay: 3, Tail: 2}
	last := int64(committed - committed%8 + 8*mostTold - 1)
	for _, offset := range []int64{committed - 1, committed, committed + 7, committed + 1023, last, last + 1} {
		m.Told.add(committed, offset)
	}
	got, err := parseMetadata(m.String())
	if err != nil {
		t.Fatal(err)
	}
	for offset, want := range map[int64]bool{
		committed - 1: false, committed: true, committed + 1: false, committed + 7: true, committed + 1023: true, last: true, last + 1: false, 1 << 62: false,
	} {
		if got.Told.has(committed, offset) != want {
			t.Errorf("%d behind the committed offset: %v", offset-committed, !want)
		}
	}
	if len(m.String()) > 3<<10 {
		t.Errorf("%d bytes", len(m.String()))
	}
}

func TestWhatIsPublishedStaysKnownWhileTheWatermarkMoves(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		var set offsets
		mark, all := rnd.Int64N(100), map[int64]bool{}
		for range 200 {
			if rnd.IntN(4) == 0 {
				to := mark + rnd.Int64N(40)
				set.move(mark, to)
				mark = to
			}
			offset := mark + rnd.Int64N(300)
			set.add(mark, offset)
			all[offset] = true
		}
		for offset := mark - 10; offset < mark+400; offset++ {
			if want := all[offset] && offset >= mark; set.has(mark, offset) != want {
				t.Fatalf("seed %d: offset %d behind %d: %v", seed, offset-mark, mark, !want)
			}
		}
	}
}

func TestMetadataThatSaysNothingIsMissing(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]string{
		"none":             "",
		"of somebody else": "consumer-1",
		"without version":  `{"owner":1,"base":0,"fenced":0,"replay":0,"tail":0}`,
		"fence below base": `{"v":1,"owner":1,"base":5,"fenced":4,"replay":0,"tail":0}`,
		"negative":         `{"v":1,"owner":1,"base":0,"fenced":4,"replay":-1,"tail":0}`,
		"replay too high":  `{"v":1,"owner":1,"base":0,"fenced":4,"replay":5,"tail":0}`,
		"long":             strings.Repeat("[", 4096),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if m, err := parseMetadata(s); !errors.Is(err, errNoMetadata) {
				t.Errorf("%+v, %v", m, err)
			}
		})
	}
	if _, err := parseMetadata(`{"v":2}`); !errors.Is(err, errFormat) {
		t.Errorf("newer version: %v", err)
	}
}

func FuzzParseMetadata(f *testing.F) {
	f.Add(metadata{Owner: 3, Base: 1, Fenced: 2}.String())
	f.Fuzz(func(t *testing.T, s string) {
		m, err := parseMetadata(s)
		if err != nil {
			return
		}
		if again, err := parseMetadata(m.String()); err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("read %+v, then %+v, %v", m, again, err)
		}
	})
}
