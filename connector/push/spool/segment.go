package spool

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"regexp"
	"strconv"
)

// A segment is a file of records, each in a frame:
//
//	marker 8 | length 4 | checksum of the record 4 | checksum of these 16 bytes 4 | record
//
// The marker stands in the file's name, is another one in each file, and random:
// behind damage the next frame is found by it, and no record can imitate one.
// The header has a checksum of its own, so that a damaged length is not taken
// for a record whose writing was cut short.
const headerSize = 20

type marker [8]byte

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendFrame appends a record in its frame.
func appendFrame(dst []byte, m marker, record []byte) []byte {
	at := len(dst)
	dst = append(dst, m[:]...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(record)))
	dst = binary.BigEndian.AppendUint32(dst, crc32.Checksum(record, castagnoli))
	dst = binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[at:], castagnoli))
	return append(dst, record...)
}

// contents is what there is in a segment.
type contents struct {
	records [][]byte
	torn    int // bytes at the end whose writing was cut short: never acknowledged
	damaged int // bytes that cannot be read
}

// parse reads a whole segment. The records are slices of data.
func parse(data []byte, m marker) contents {
	var c contents
	for len(data) > 0 {
		if len(data) < headerSize {
			c.torn = len(data)
			return c
		}
		if !bytes.HasPrefix(data, m[:]) || crc32.Checksum(data[:16], castagnoli) != binary.BigEndian.Uint32(data[16:]) {
			if len(bytes.Trim(data, "\x00")) == 0 {
				c.torn = len(data) // file systems leave zeros where data never reached the disk
				return c
			}
			next := len(data)
			if i := bytes.Index(data[1:], m[:]); i >= 0 {
				next = 1 + i
			}
			c.damaged += next
			data = data[next:]
			continue
		}
		end := headerSize + int(binary.BigEndian.Uint32(data[8:]))
		if end > len(data) {
			c.torn = len(data)
			return c
		}
		record := data[headerSize:end]
		switch {
		case crc32.Checksum(record, castagnoli) != binary.BigEndian.Uint32(data[12:]):
			c.damaged += end
		case len(record) > 0: // an empty one has only tried whether the disk takes it
			c.records = append(c.records, record)
		}
		data = data[end:]
	}
	return c
}

// name is that of a segment's file: the time at which it was begun, in
// milliseconds, by which segments are in order, and the marker.
type name struct {
	begun  int64
	marker marker
}

const (
	extension = ".spool"
	// setAside is put behind the name of a segment that is damaged.
	setAside = ".damaged"
)

var nameForm = regexp.MustCompile(`^v1-([0-9]{16})-([0-9a-f]{16})\.spool$`)

func newName(begun int64) name {
	n := name{begun: begun}
	_, _ = rand.Read(n.marker[:]) // never fails
	return n
}

func (n name) String() string {
	return fmt.Sprintf("v1-%016d-%x%s", n.begun, n.marker[:], extension)
}

func parseName(s string) (name, bool) {
	parts := nameForm.FindStringSubmatch(s)
	if parts == nil {
		return name{}, false
	}
	begun, _ := strconv.ParseInt(parts[1], 10, 64) // 16 digits always fit
	random, _ := strconv.ParseUint(parts[2], 16, 64)
	n := name{begun: begun}
	binary.BigEndian.PutUint64(n.marker[:], random)
	return n, true
}
