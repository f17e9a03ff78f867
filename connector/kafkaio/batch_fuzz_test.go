package kafkaio

import (
	"errors"
	"testing"
)

// FuzzDecode feeds the decoder sets with valid checksums, else no input would
// ever get past them, and holds it to what callers rely on.
func FuzzDecode(f *testing.F) {
	ab := recordsAt("a", "b")
	f.Add(int64(0), setOf(ab), false)
	f.Add(int64(1), setOf(ab.from(7), marker(2, 7, 0), ab.at(3)), true)
	for _, codec := range codecs {
		f.Add(int64(0), setOf(ab.packed(codec)), true)
	}
	f.Fuzz(func(t *testing.T, from int64, set []byte, resign bool) {
		if from < 0 {
			return
		}
		if resign && len(set) >= batchHeader {
			sign(set)
		}
		d, _, err := decodeSet(from, set, aborted{7, 0})
		last := from - 1
		for _, r := range d.records {
			if r.Offset <= last || r.Offset >= d.next {
				t.Fatalf("offset %d after %d, before %d", r.Offset, last, d.next)
			}
			last = r.Offset
		}
		if d.next < from {
			t.Fatalf("went back from %d to %d", from, d.next)
		}
		var batch *BatchError
		if err != nil && (!errors.As(err, &batch) || batch.Offset != d.next || batch.Next <= batch.Offset) {
			t.Fatalf("%+v at %d", err, d.next)
		}
	})
}
