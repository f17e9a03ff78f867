package kafkaio

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// built describes a batch that a test makes by hand. By franz-go's encoder, so
// that the decoder is not checked against itself.
type built struct {
	base     int64
	last     int64 // zero: of its records
	flags    int16
	producer int64
	count    int    // zero: of its records
	records  []byte // see recordsAt
	n        int
}

func recordsAt(values ...string) built {
	var b built
	for i, v := range values {
		b.records = appendRecord(b.records, i, []byte(v))
	}
	b.n = len(values)
	return b
}

func appendRecord(dst []byte, delta int, value []byte) []byte {
	r := kmsg.Record{OffsetDelta: int32(delta), Key: []byte("k"), Value: value}
	r.Length = int32(len(r.AppendTo(nil)) - 1)
	body := r.AppendTo(nil)
	// The length before is written by the number that it is; its own width
	// depends on it.
	body = body[len(binary.AppendVarint(nil, int64(r.Length))):]
	return append(binary.AppendVarint(dst, int64(len(body))), body...)
}

func (b built) bytes() []byte {
	last := b.last
	if last == 0 {
		last = b.base + int64(max(b.n, 1)) - 1
	}
	batch := kmsg.RecordBatch{
		FirstOffset: b.base, Length: int32(batchHeader - batchPrefix + len(b.records)), Magic: 2, Attributes: b.flags,
		LastOffsetDelta: int32(last - b.base), FirstTimestamp: 1000, MaxTimestamp: 2000,
		ProducerID: b.producer, NumRecords: int32(max(b.count, b.n)), Records: b.records,
	}
	return sign(batch.AppendTo(nil))
}

// sign writes the checksum that belongs to a batch.
func sign(b []byte) []byte {
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func (b built) at(base int64) built { b.base = base; return b }
func (b built) from(producer int64) built {
	b.producer, b.flags = producer, b.flags|flagTransactional
	return b
}

func (b built) packed(codec int16) built {
	b.records, b.flags = pack(codec, b.records), b.flags|codec
	return b
}

func marker(base, producer int64, kind byte) built {
	r := kmsg.Record{Key: []byte{0, 0, 0, kind}, Value: []byte{0, 0, 0, 0, 0, 0}}
	r.Length = int32(len(r.AppendTo(nil)) - 1)
	return built{base: base, producer: producer, flags: flagTransactional | flagControl, records: r.AppendTo(nil), n: 1}
}

func pack(codec int16, plain []byte) []byte {
	var b bytes.Buffer
	switch codec {
	case codecGzip:
		w := gzip.NewWriter(&b)
		w.Write(plain)
		w.Close()
	case codecSnappy:
		return snappy.Encode(nil, plain)
	case codecLZ4:
		w := lz4.NewWriter(&b)
		w.Write(plain)
		w.Close()
	case codecZstd:
		w, err := zstd.NewWriter(&b)
		if err != nil {
			panic(err)
		}
		w.Write(plain)
		w.Close()
	}
	return b.Bytes()
}

func setOf(batches ...built) []byte {
	var set []byte
	for _, b := range batches {
		set = append(set, b.bytes()...)
	}
	return set
}

// testLimit is a small maxUnpacked.
const testLimit = 16 << 20

func decodeSet(from int64, set []byte, rolledBack ...aborted) (*decoder, []string, error) {
	d := &decoder{topic: "t", partition: 3, from: from, aborted: rolledBack, limit: testLimit}
	err := d.decode(set)
	var values []string
	for _, r := range d.records {
		values = append(values, fmt.Sprintf("%d=%s", r.Offset, r.Value))
	}
	return d, values, err
}

func TestWhatIsNotARecordIsPassedOver(t *testing.T) {
	t.Parallel()
	ab := recordsAt("a", "b")
	for name, c := range map[string]struct {
		from int64
		set  []byte
		gone []aborted
		want []string
		next int64
	}{
		"two batches":                            {0, setOf(ab, ab.at(2)), nil, []string{"0=a", "1=b", "2=a", "3=b"}, 4},
		"from within a batch":                    {1, setOf(ab, ab.at(2)), nil, []string{"1=b", "2=a", "3=b"}, 4},
		"a gap between batches":                  {0, setOf(ab, ab.at(90)), nil, []string{"0=a", "1=b", "90=a", "91=b"}, 92},
		"a batch that compaction left a gap in":  {0, setOf(built{base: 0, last: 50, records: ab.records, n: 2}), nil, []string{"0=a", "1=b"}, 51},
		"a batch that compaction emptied":        {0, setOf(built{base: 0, last: 50}, ab.at(51)), nil, []string{"51=a", "52=b"}, 53},
		"an emptied batch at the end":            {0, setOf(ab, built{base: 2, last: 50}), nil, []string{"0=a", "1=b"}, 51},
		"a batch from before":                    {2, setOf(ab), nil, nil, 2},
		"an answer that begins before":           {3, setOf(ab, ab.at(2)), nil, []string{"3=b"}, 4},
		"a commit marker":                        {0, setOf(ab.from(7), marker(2, 7, 1)), nil, []string{"0=a", "1=b"}, 3},
		"an abort marker":                        {0, setOf(ab.from(7), marker(2, 7, 0)), []aborted{{7, 0}}, nil, 3},
		"another producer's transaction":         {0, setOf(ab.from(7), ab.at(2).from(8), marker(4, 7, 0), marker(5, 8, 1)), []aborted{{7, 0}}, []string{"2=a", "3=b"}, 6},
		"plain records within a rolled back one": {0, setOf(ab.from(7), ab.at(2), marker(4, 7, 0)), []aborted{{7, 0}}, []string{"2=a", "3=b"}, 5},
		"the next transaction of that producer":  {0, setOf(ab.from(7), marker(2, 7, 0), ab.at(3).from(7), marker(5, 7, 1)), []aborted{{7, 0}}, []string{"3=a", "4=b"}, 6},
		"rolled back twice":                      {0, setOf(ab.from(7), marker(2, 7, 0), ab.at(3).from(7), marker(5, 7, 0)), []aborted{{7, 0}, {7, 3}}, nil, 6},
		"committed, then rolled back":            {0, setOf(ab.from(7), marker(2, 7, 1), ab.at(3).from(7), marker(5, 7, 0)), []aborted{{7, 3}}, []string{"0=a", "1=b"}, 6},
		"begun before what is read":              {5, setOf(ab.at(5).from(7), marker(7, 7, 0)), []aborted{{7, 1}}, nil, 8},
		"a cut batch at the end":                 {0, append(setOf(ab), setOf(ab.at(2))[:70]...), nil, []string{"0=a", "1=b"}, 2},
		"a cut header at the end":                {0, append(setOf(ab), 0, 0, 0), nil, []string{"0=a", "1=b"}, 2},
		"nothing":                                {9, nil, nil, nil, 9},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, got, err := decodeSet(c.from, c.set, c.gone...)
			if err != nil || !slices.Equal(got, c.want) || d.next != c.next {
				t.Fatalf("got %q, next %d, %v; want %q, next %d", got, d.next, err, c.want, c.next)
			}
		})
	}
}

func TestADamagedBatchIsNamedAndWhatCameBeforeItIsKept(t *testing.T) {
	t.Parallel()
	good := recordsAt("a", "b")
	change := func(at int, to byte, resign bool) []byte {
		b := good.at(2).bytes()
		b[at] = to
		if resign {
			sign(b)
		}
		return b
	}
	for name, c := range map[string]struct {
		damaged []byte
		next    int64
		err     error
	}{
		"a bit of a record":         {change(70, 0xff, false), 3, ErrCorrupt},
		"the checksum":              {change(18, 0xff, false), 3, ErrCorrupt},
		"a format of the future":    {change(16, 3, false), 3, ErrCorrupt},
		"a format of the past":      {change(16, 1, false), 3, ErrOldFormat},
		"an unknown codec":          {change(22, 5, true), 4, ErrCorrupt},
		"not packed as it says":     {change(22, codecZstd, true), 4, ErrCorrupt},
		"more records than there":   {change(60, 9, true), 4, ErrCorrupt},
		"fewer records than there":  {change(60, 1, true), 4, ErrCorrupt},
		"millions of records":       {change(57, 0x7f, true), 4, ErrCorrupt},
		"a last offset too low":     {change(26, 0, true), 3, ErrCorrupt},
		"a negative count":          {change(57, 0xff, true), 3, ErrCorrupt},
		"a length of nothing":       {slices.Concat(change(0, 0, false)[:8], []byte{0, 0, 0, 4}, make([]byte, 90)), 3, ErrCorrupt},
		"a negative length":         {slices.Concat(change(0, 0, false)[:8], []byte{0xff, 0, 0, 4}, make([]byte, 90)), 3, ErrCorrupt},
		"a record beyond its batch": {sign(built{base: 2, last: 2, records: good.records, n: 2}.bytes()), 3, ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, got, err := decodeSet(0, slices.Concat(good.bytes(), c.damaged))
			var batch *BatchError
			if !errors.As(err, &batch) || !errors.Is(err, c.err) {
				t.Fatal(err)
			}
			if batch.Topic != "t" || batch.Partition != 3 || batch.Offset != 2 || batch.Next != c.next {
				t.Errorf("got %+v, want it to go on at %d", batch, c.next)
			}
			if !slices.Equal(got, []string{"0=a", "1=b"}) || d.next != 2 {
				t.Errorf("kept %q up to %d", got, d.next)
			}
		})
	}
}

func TestSnappyIsReadBareAndFramedAsJavaWritesIt(t *testing.T) {
	t.Parallel()
	b := recordsAt("a", "b", "c")
	framed := slices.Concat(xerial, []byte{0, 0, 0, 1, 0, 0, 0, 1})
	for half := range slices.Chunk(b.records, 10) {
		block := snappy.Encode(nil, half)
		framed = append(binary.BigEndian.AppendUint32(framed, uint32(len(block))), block...)
	}
	for name, packed := range map[string][]byte{"bare": snappy.Encode(nil, b.records), "framed": framed} {
		_, got, err := decodeSet(0, setOf(built{flags: codecSnappy, records: packed, n: 3}))
		if err != nil || len(got) != 3 {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for cut := range framed {
		d := &decoder{limit: maxUnpacked}
		err := d.decode(setOf(built{flags: codecSnappy, records: framed[:cut], n: 3}))
		if !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}

func TestLogAppendTimeIsThatOfTheBatch(t *testing.T) {
	t.Parallel()
	b := recordsAt("a", "b")
	b.flags = flagAppendTime
	d, _, err := decodeSet(0, setOf(b))
	if err != nil || d.records[0].Time.UnixMilli() != 2000 || d.records[1].Time.UnixMilli() != 2000 {
		t.Fatalf("%+v, %v", d.records, err)
	}
}

// recordWithHeaders returns one record with headers that are encoded already.
func recordWithHeaders(headers []byte, count int) []byte {
	body := []byte{0, 0, 0, 1, 1}
	body = append(binary.AppendVarint(body, int64(count)), headers...)
	return append(binary.AppendVarint(nil, int64(len(body))), body...)
}
