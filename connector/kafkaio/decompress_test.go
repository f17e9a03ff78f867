package kafkaio

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/golang/snappy"
)

var codecs = map[string]int16{"gzip": codecGzip, "snappy": codecSnappy, "lz4": codecLZ4, "zstd": codecZstd}

func TestABatchThatUnpacksToMoreThanItMayIsRefusedAndTheNextIsRead(t *testing.T) {
	t.Parallel()
	bomb := appendRecord(nil, 0, make([]byte, testLimit+1))
	for name, codec := range codecs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			packed := built{records: bomb, n: 1, base: 5}.packed(codec)
			_, got, err := decodeSet(5, setOf(packed, recordsAt("a").at(6)))
			var batch *BatchError
			if !errors.As(err, &batch) || !errors.Is(err, ErrBatchTooLarge) || batch.Offset != 5 || batch.Next != 6 || len(got) > 0 {
				t.Fatalf("%q, %v", got, err)
			}
			d, got, err := decodeSet(batch.Next, setOf(packed, recordsAt("a").at(6)))
			if err != nil || len(got) != 1 || d.next != 7 {
				t.Fatalf("%q, %v", got, err)
			}
		})
	}
}

func TestAFewBytesCannotMakeUsAllocateMuch(t *testing.T) {
	const count = 600_000
	empties := recordsAt(strings.Split(strings.Repeat(",", count-1), ",")...)
	headers := []byte(strings.Repeat("\x02h\x00", 2_000_000))
	for name, set := range map[string][]byte{
		"millions of empty records": setOf(empties.packed(codecZstd)),
		"millions of headers":       setOf(built{records: recordWithHeaders(headers, 2_000_000), n: 1}.packed(codecZstd)),
		"a claim of snappy":         setOf(built{flags: codecSnappy, records: []byte{0xff, 0xff, 0xff, 0x1f, 0, 0}, n: 1}),
		"a claim of framed snappy":  setOf(built{flags: codecSnappy, records: append(bytes.Clone(xerial), 0, 0, 0, 1, 0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff, 1), n: 1}),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, got, err := decodeSet(0, set)
			runtime.ReadMemStats(&after)
			if err == nil || len(got) > 0 {
				t.Fatalf("%d records, %v", len(got), err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 4*testLimit {
				t.Errorf("%d bytes were allocated for %d", used, len(set))
			}
		})
	}
}

func TestManyLargeBatchesOfOneAnswerAreNotUnpackedAtOnce(t *testing.T) {
	t.Parallel()
	large := built{records: appendRecord(nil, 0, make([]byte, decodedEnough)), n: 1}.packed(codecZstd)
	var batches []built
	for i := range int64(4) {
		batches = append(batches, large.at(i))
	}
	set := setOf(batches...)
	for next, fetches := int64(0), 0; next < 4; fetches++ {
		d, got, err := decodeSet(next, set)
		if err != nil || len(got) != 1 {
			t.Fatalf("%d records at once, %v", len(got), err)
		}
		next = d.next
	}
}

func TestWhatIsPackedIsUnpackedAndWhatIsCutIsRefused(t *testing.T) {
	t.Parallel()
	plain := []byte(strings.Repeat("what was packed ", 1000))
	for name, codec := range codecs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			packed := pack(codec, plain)
			got, err := decompress(int(codec), packed, len(plain))
			if err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			if _, err := decompress(int(codec), packed, len(plain)-1); !errors.Is(err, ErrBatchTooLarge) {
				t.Errorf("one byte too many: %v", err)
			}
			if _, err := decompress(int(codec), packed[:len(packed)/2], len(plain)); !errors.Is(err, ErrCorrupt) {
				t.Errorf("cut: %v", err)
			}
		})
	}
	if _, err := decompress(codecZstd, pack(codecZstd, make([]byte, maxUnpacked+1)), 2*maxUnpacked); !errors.Is(err, ErrBatchTooLarge) {
		t.Errorf("zstd beyond its own bound: %v", err)
	}
	if got := snappy.Encode(nil, make([]byte, 1<<20)); 22*len(got)+64 < 1<<20 {
		t.Errorf("an honest block of %d bytes for 1 MiB would be refused", len(got))
	}
}
