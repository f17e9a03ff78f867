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
	blocks [][8]uint64
	room   int
}

const (
	firstLayer = 4096 // ids
	bitsForID  = 12   // memory: 1.5 bytes an id
	probes     = 6
)

func (f *filter) add(id idHash) {
	n := len(f.layers)
	if n == 0 || f.layers[n-1].room == 0 {
		size := firstLayer << (2 * n)
		f.layers = append(f.layers, layer{blocks: make([][8]uint64, size*bitsForID/512), room: size})
		n++
	}
	l := &f.layers[n-1]
	l.room--
	block, bits := l.place(id)
	for range probes {
		block[bits>>6&7] |= 1 << (bits & 63)
		bits >>= 9
	}
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
	at := binary.LittleEndian.Uint64(id[:8]) % uint64(len(l.blocks))
	return &l.blocks[at], binary.LittleEndian.Uint64(id[8:])
}
