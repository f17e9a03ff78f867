package kafkaio

import "encoding/binary"

// reader takes Kafka's wire format apart. After the first thing that does not
// fit, bad is set, and everything that follows reads as zero: callers check bad
// once, at the end, and before a count is believed.
type reader struct {
	b    []byte
	flex bool // compact lengths and tagged fields (KIP-482)
	bad  bool
}

// take returns the next n bytes, not copied.
func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) int16() int16 {
	if b := r.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) int32() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *reader) int64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// varint reads a zigzag number, as records use them.
func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// varbytes reads bytes after a zigzag length, nil for -1.
func (r *reader) varbytes() []byte {
	n := r.varint()
	if n == -1 || r.bad {
		return nil
	}
	if n < 0 || n > int64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	return r.take(int(n))
}

// string reads a string that may be null, which reads as empty.
func (r *reader) string() string {
	n := 0
	if r.flex {
		n = r.compact()
	} else {
		n = int(r.int16())
	}
	if n < 0 {
		return ""
	}
	return string(r.take(n))
}

// array returns how many elements follow, each of at least the given size, so
// that a made-up count allocates nothing. Null reads as empty.
func (r *reader) array(least int) int {
	n := 0
	if r.flex {
		n = r.compact()
	} else {
		n = int(r.int32())
	}
	if n < 0 {
		return 0
	}
	if n > len(r.b)/least {
		r.bad, r.b = true, nil
		return 0
	}
	return n
}

// compact reads a length of the flexible versions: one more than it means.
func (r *reader) compact() int {
	n := r.uvarint()
	if n > uint64(len(r.b))+1 {
		r.bad, r.b = true, nil
		return 0
	}
	return int(n) - 1
}

// tags skips the tagged fields that end every structure of a flexible version.
func (r *reader) tags() {
	if !r.flex {
		return
	}
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		r.uvarint()
		size := r.uvarint()
		if size > uint64(len(r.b)) {
			r.bad, r.b = true, nil
			return
		}
		r.take(int(size))
	}
}

// ints skips an array of int32.
func (r *reader) ints() int {
	n := r.array(4)
	r.take(4 * n)
	return n
}

// appendHeader begins a request (KIP-482: header version 2 when flexible).
func appendHeader(b []byte, key, version int16, id int32, clientID string, flex bool) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, uint32(id))
	b = appendString(b, clientID, false)
	if flex {
		b = append(b, 0)
	}
	return b
}

func appendString(b []byte, s string, flex bool) []byte {
	if flex {
		b = binary.AppendUvarint(b, uint64(len(s))+1)
	} else {
		b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	}
	return append(b, s...)
}
