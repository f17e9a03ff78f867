package spool

import (
	"slices"
	"strings"
	"testing"
)

var testMarker = marker{1, 2, 3, 4, 5, 6, 7, 8}

func segmentOf(records ...string) []byte {
	var data []byte
	for _, r := range records {
		data = appendFrame(data, testMarker, []byte(r))
	}
	return data
}

func texts(records [][]byte) []string {
	var all []string
	for _, r := range records {
		all = append(all, string(r))
	}
	return all
}

func TestSegmentCutAtAnyByteGivesItsWholeRecords(t *testing.T) {
	t.Parallel()
	records := []string{"first", strings.Repeat("second", 50), "third"}
	data := segmentOf(records...)
	var ends []int
	for i := range records {
		ends = append(ends, len(segmentOf(records[:i+1]...)))
	}
	for cut := range len(data) + 1 {
		whole := 0
		for whole < len(ends) && ends[whole] <= cut {
			whole++
		}
		c := parse(data[:cut], testMarker)
		if !slices.Equal(texts(c.records), records[:whole]) || c.damaged != 0 || c.torn != cut-append([]int{0}, ends...)[whole] {
			t.Fatalf("cut at %d: %d records, %d bytes torn, %d damaged", cut, len(c.records), c.torn, c.damaged)
		}
		// What some file systems show after a power cut.
		if c := parse(append(slices.Clone(data[:cut]), make([]byte, 40)...), testMarker); len(c.records) != whole && cut == ends[max(whole-1, 0)] {
			t.Fatalf("cut at %d, zeros behind: %d records", cut, len(c.records))
		}
	}
	if c := parse(append(slices.Clone(data), make([]byte, 4096)...), testMarker); len(c.records) != 3 || c.damaged != 0 || c.torn != 4096 {
		t.Errorf("zeros behind: %d records, %d bytes torn, %d damaged", len(c.records), c.torn, c.damaged)
	}
}

func TestAnyFlippedBitCostsOneRecordAndIsNoticed(t *testing.T) {
	t.Parallel()
	records := []string{"first", strings.Repeat("second", 20), "third"}
	data := segmentOf(records...)
	for bit := range 8 * len(data) {
		damaged := slices.Clone(data)
		damaged[bit/8] ^= 1 << (bit % 8)
		at := 0
		for bit/8 >= len(segmentOf(records[:at+1]...)) {
			at++
		}
		want := slices.Delete(slices.Clone(records), at, at+1)
		c := parse(damaged, testMarker)
		if !slices.Equal(texts(c.records), want) || c.damaged == 0 || c.torn != 0 {
			t.Fatalf("bit %d: %d records, %d bytes torn, %d damaged", bit, len(c.records), c.torn, c.damaged)
		}
	}
}

func FuzzSegment(f *testing.F) {
	f.Add(segmentOf("a", "", "b"))
	f.Add(segmentOf("a", "b")[5:])
	f.Add(append(segmentOf("a"), make([]byte, 30)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := parse(data, testMarker)
		size := c.torn + c.damaged
		for _, r := range c.records {
			size += headerSize + len(r)
		}
		if size > len(data) || (len(data)-size)%headerSize != 0 { // empty records are not told
			t.Errorf("%d bytes of %d accounted for", size, len(data))
		}
		// Whatever stands before it, a whole record is found.
		c = parse(append(append(slices.Clone(data), testMarker[0]), segmentOf("found")...), testMarker)
		if c.torn == 0 && (len(c.records) == 0 || string(c.records[len(c.records)-1]) != "found") {
			t.Error("a record behind damage is not found")
		}
	})
}

func TestNamesAreReadBack(t *testing.T) {
	t.Parallel()
	n := newName(1732345678901)
	if got, ok := parseName(n.String()); !ok || got != n {
		t.Errorf("%s is read as %v, %v", n, got, ok)
	}
	for _, other := range []string{"", ".spool", "LOCK", "v2-0001732345678901-0102030405060708.spool", n.String() + setAside, "x" + n.String()} {
		if _, ok := parseName(other); ok {
			t.Errorf("%q passes for a name", other)
		}
	}
}
