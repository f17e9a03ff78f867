package kafkaio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"
	"unsafe"
)

// The layout of a record batch, format version 2, is that of the section
// "Record Batch" of Kafka's documentation of its message format.
const (
	batchPrefix  = 12 // base offset, length of the rest
	batchHeader  = 61
	batchMagicAt = 16
	batchCRCAt   = 17
	batchCRCFrom = 21 // what the checksum covers begins here

	flagCodec         = 0x07
	flagAppendTime    = 0x08
	flagTransactional = 0x10
	flagControl       = 0x20

	leastRecord = 7 // bytes of a record without key, value and headers
)

// decodedEnough stops the unpacking of further batches of one answer: an answer
// of a megabyte may hold very many batches of which each unpacks to maxUnpacked.
const decodedEnough = 8 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// aborted is a transaction of a producer that was rolled back, from its first
// offset up to the next abort marker of that producer.
type aborted struct{ producer, first int64 }

// decoder turns the record set of one fetch into records.
type decoder struct {
	topic     string
	partition int
	from      int64     // first offset that is wanted
	aborted   []aborted // by first offset, as brokers list them
	limit     int       // memory for one batch

	rolledBack map[int64]bool // producers inside of an aborted transaction
	records    []Record
	next       int64 // after the last batch that was dealt with
	spent      int   // memory of this batch
	total      int   // memory of all of them
}

// fetchedBatch is the header of a batch and its records as they came.
type fetchedBatch struct {
	base, last int64
	flags      int16
	first, max int64 // timestamps
	producer   int64
	count      int
	body       []byte
}

// decode reads whole batches until the set ends, a batch is damaged, or enough
// was unpacked. The error, a *BatchError, is about the batch at d.next; the
// records before it are good.
func (d *decoder) decode(set []byte) error {
	for d.next = d.from; len(set) >= batchPrefix && d.total < decodedEnough; {
		size := int64(int32(binary.BigEndian.Uint32(set[8:])))
		if size >= 0 && size > int64(len(set)-batchPrefix) {
			break // The broker cut the last batch; it comes whole with the next fetch.
		}
		if size < batchMagicAt+1-batchPrefix {
			return d.bad(d.next+1, fmt.Errorf("%w: length %d", ErrCorrupt, size))
		}
		whole := set[:batchPrefix+size]
		set = set[len(whole):]
		next, err := d.batch(whole)
		if err != nil {
			return err
		}
		d.next = next
	}
	return nil
}

// batch deals with one whole batch and returns the offset after it.
func (d *decoder) batch(whole []byte) (int64, error) {
	b, err := readBatch(whole)
	if err != nil {
		// Its own word on its offsets is not believed: one step, and the broker
		// gives the same batch again until its end is passed.
		return 0, d.bad(d.next+1, err)
	}
	next := b.last + 1
	if next <= d.next {
		return d.next, nil // brokers give whole batches, also those begun before
	}
	d.enter(b.last)
	switch {
	case b.flags&flagControl != 0:
		if isAbort(b.body) {
			delete(d.rolledBack, b.producer)
		}
		return next, nil
	case b.flags&flagTransactional != 0 && d.rolledBack[b.producer]:
		return next, nil
	case b.count == 0:
		return next, nil // compacted away, but for the header
	}
	if err := d.unpack(b); err != nil {
		return 0, d.bad(next, err)
	}
	return next, nil
}

// enter begins the aborted transactions whose first offset is reached.
func (d *decoder) enter(last int64) {
	for len(d.aborted) > 0 && d.aborted[0].first <= last {
		if d.rolledBack == nil {
			d.rolledBack = map[int64]bool{}
		}
		d.rolledBack[d.aborted[0].producer] = true
		d.aborted = d.aborted[1:]
	}
}

func (d *decoder) bad(next int64, err error) error {
	return &BatchError{Topic: d.topic, Partition: d.partition, Offset: d.next, Next: next, Err: err}
}

func readBatch(whole []byte) (fetchedBatch, error) {
	if magic := int8(whole[batchMagicAt]); magic != 2 {
		if magic == 0 || magic == 1 {
			return fetchedBatch{}, ErrOldFormat
		}
		return fetchedBatch{}, fmt.Errorf("%w: format version %d", ErrCorrupt, magic)
	}
	if len(whole) < batchHeader {
		return fetchedBatch{}, fmt.Errorf("%w: %d bytes are less than a header", ErrCorrupt, len(whole))
	}
	if crc32.Checksum(whole[batchCRCFrom:], castagnoli) != binary.BigEndian.Uint32(whole[batchCRCAt:]) {
		return fetchedBatch{}, fmt.Errorf("%w: checksum does not match", ErrCorrupt)
	}
	r := &reader{b: whole}
	b := fetchedBatch{base: r.int64()}
	r.take(batchCRCFrom - 8)
	b.flags = r.int16()
	b.last = b.base + int64(r.int32())
	b.first, b.max = r.int64(), r.int64()
	b.producer = r.int64()
	r.take(2 + 4) // producer epoch, first sequence
	b.count = int(r.int32())
	b.body = r.b
	if b.base < 0 || b.last < b.base || b.count < 0 {
		return fetchedBatch{}, fmt.Errorf("%w: %d records from offset %d to %d", ErrCorrupt, b.count, b.base, b.last)
	}
	return b, nil
}

// isAbort tells an abort marker from a commit marker by its record's key, a
// version and a type of two bytes each (0: abort).
func isAbort(body []byte) bool {
	r := &reader{b: body}
	r.varint() // length
	r.take(1)  // attributes
	r.varint() // timestamp
	r.varint() // offset
	key := &reader{b: r.varbytes()}
	key.int16()
	return key.int16() == 0 && !key.bad
}

func (d *decoder) unpack(b fetchedBatch) error {
	body := b.body
	d.spent = 0
	if codec := int(b.flags & flagCodec); codec != codecNone {
		var err error
		if body, err = decompress(codec, body, d.limit); err != nil {
			return err
		}
		d.spent = len(body)
	}
	d.total += d.spent
	if b.count > len(body)/leastRecord {
		return fmt.Errorf("%w: %d records do not fit into %d bytes", ErrCorrupt, b.count, len(body))
	}
	if err := d.spend(b.count, unsafe.Sizeof(Record{})); err != nil {
		return err
	}
	good := len(d.records)
	d.records = slices.Grow(d.records, b.count)
	r := &reader{b: body}
	after := b.base - 1
	for range b.count {
		offset, err := d.record(r, b, after)
		if err != nil {
			d.records = d.records[:good]
			return err
		}
		after = offset
	}
	if len(r.b) > 0 {
		d.records = d.records[:good]
		return fmt.Errorf("%w: %d bytes after the last record", ErrCorrupt, len(r.b))
	}
	return nil
}

// record reads one record, which must lie after the one before it and inside of
// its batch, and keeps it if it is wanted.
func (d *decoder) record(r *reader, b fetchedBatch, after int64) (int64, error) {
	in := &reader{b: r.varbytes()}
	in.take(1) // attributes: none are defined
	timestamp := b.first + in.varint()
	if b.flags&flagAppendTime != 0 {
		timestamp = b.max
	}
	rec := Record{
		Topic:     d.topic,
		Partition: d.partition,
		Offset:    b.base + in.varint(),
		Time:      time.UnixMilli(timestamp).UTC(),
		Key:       in.varbytes(),
		Value:     in.varbytes(),
	}
	count := in.varint()
	if r.bad || in.bad || count < 0 || count > int64(len(in.b)/2) {
		return 0, fmt.Errorf("%w: record after offset %d", ErrCorrupt, after)
	}
	if rec.Offset <= after || rec.Offset > b.last {
		return 0, fmt.Errorf("%w: offset %d after %d in a batch up to %d", ErrCorrupt, rec.Offset, after, b.last)
	}
	if err := d.headers(in, &rec, int(count)); err != nil {
		return 0, err
	}
	if rec.Offset >= d.next {
		d.records = append(d.records, rec)
	}
	return rec.Offset, nil
}

func (d *decoder) headers(in *reader, rec *Record, count int) error {
	if count > 0 {
		if err := d.spend(count, unsafe.Sizeof(Header{})); err != nil {
			return err
		}
		rec.Headers = make([]Header, count)
	}
	for i := range rec.Headers {
		rec.Headers[i].Key = string(in.varbytes())
		rec.Headers[i].Value = in.varbytes()
	}
	if in.bad || len(in.b) > 0 {
		return fmt.Errorf("%w: headers of offset %d", ErrCorrupt, rec.Offset)
	}
	return nil
}

// spend counts the memory that records need beside their bytes: millions of
// empty ones pack very well too.
func (d *decoder) spend(count int, each uintptr) error {
	d.spent += count * int(each)
	d.total += count * int(each)
	if d.spent > d.limit {
		return ErrBatchTooLarge
	}
	return nil
}

func errorIsAny(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
