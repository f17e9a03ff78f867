package journal

import "encoding/binary"

// filter tells ids that were never added from those that perhaps were: about one
// in a hundred that was not is taken for one that was. It stands before the
// disk, so that a fresh id costs no read.
//
// It grows by layers, each four times the one before: nobody knows beforehand how
// many ids will come, and what was added cannot be spread anew without reading
// it all again.
type filter struct{ layers []layer }

// layer is a Bloom filter in blocks of one cache line: a look touches one of them.
type layer struct {
	words []uint64 // 8 are a block
	room  int
}

const (
	firstLayer = 4096 // ids
	bitsForID  = 12   // memory: 1.5 bytes an id
	probes     = 6
)

func (f *filter) add(id idHash) {
	if n := len(f.layers); n == 0 || f.layers[n-1].room == 0 {
		f.grow()
	}
	l := &f.layers[len(f.layers)-1]
	l.room--
	block, bits := l.place(id)
	for range probes {
		block[bits>>6&7] |= 1 << (bits & 63)
		bits >>= 9
	}
}

func (f *filter) grow() *layer {
	n := len(f.layers)
	size := firstLayer << (2 * n)
	f.layers = append(f.layers, layer{words: make([]uint64, size*bitsForID/64), room: size})
	return &f.layers[n]
}

func (f *filter) mayHave(id idHash) bool {
	for i := range f.layers {
		if f.layers[i].has(id) {
			return true
		}
	}
	return false
}

func (l *layer) has(id idHash) bool {
	block, bits := l.place(id)
	for range probes {
		if block[bits>>6&7]&(1<<(bits&63)) == 0 {
			return false
		}
		bits >>= 9
	}
	return true
}

// place: the id is a hash already, so its bits serve as they are.
func (l *layer) place(id idHash) (block *[8]uint64, bits uint64) {
	at := binary.LittleEndian.Uint64(id[:8]) % uint64(len(l.words)/8)
	return (*[8]uint64)(l.words[8*at:]), binary.LittleEndian.Uint64(id[8:])
}

// filterForm names the rules by which ids are placed. A saved filter of other
// rules would not have its ids, so it is not read.
const filterForm = 1<<32 | firstLayer<<16 | bitsForID<<8 | probes

// encode: the form, the room in the last layer, the words of all layers.
func (f *filter) encode() []byte {
	b := binary.LittleEndian.AppendUint64(nil, filterForm)
	b = binary.LittleEndian.AppendUint64(b, uint64(f.layers[len(f.layers)-1].room))
	for i := range f.layers {
		for _, word := range f.layers[i].words {
			b = binary.LittleEndian.AppendUint64(b, word)
		}
	}
	return b
}

// decodeFilter reads a saved filter, and reports whether it could.
func decodeFilter(b []byte) (f filter, ok bool) {
	if len(b) <= 16 || binary.LittleEndian.Uint64(b) != filterForm {
		return filter{}, false
	}
	room := int(binary.LittleEndian.Uint64(b[8:]))
	for b = b[16:]; len(b) > 0; {
		l := f.grow()
		l.room = room // that of the last one counts
		if len(b) < 8*len(l.words) {
			return filter{}, false
		}
		for i := range l.words {
			l.words[i] = binary.LittleEndian.Uint64(b[8*i:])
		}
		b = b[8*len(l.words):]
	}
	return f, true
}
