package kafkaio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// maxUnpacked bounds what one batch may take in memory once it is unpacked. A few
// kilobytes of zstd are enough for a gigabyte of zeros, and the broker's limits
// count the packed ones.
const maxUnpacked = 64 << 20

// Codecs as a batch's attributes number them.
const (
	codecNone = iota
	codecGzip
	codecSnappy
	codecLZ4
	codecZstd
)

// decompress unpacks the records of a batch into fresh memory, and refuses with
// ErrBatchTooLarge what would need more than limit bytes.
func decompress(codec int, packed []byte, limit int) ([]byte, error) {
	switch codec {
	case codecGzip:
		return gunzip(packed, limit)
	case codecSnappy:
		return unsnappy(packed, limit)
	case codecLZ4:
		r := lz4Readers.Get().(*lz4.Reader)
		defer lz4Readers.Put(r)
		r.Reset(bytes.NewReader(packed))
		return readBounded(r, len(packed), limit)
	case codecZstd:
		return unzstd(packed, limit)
	default:
		return nil, fmt.Errorf("%w: compression %d is not known", ErrCorrupt, codec)
	}
}

var (
	gzipReaders = sync.Pool{New: func() any { return new(gzip.Reader) }}
	lz4Readers  = sync.Pool{New: func() any { return lz4.NewReader(nil) }}

	// One decoder serves all callers; maxUnpacked bounds what it may be made to allocate.
	zstdDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxUnpacked))
	})
)

func gunzip(packed []byte, limit int) ([]byte, error) {
	r := gzipReaders.Get().(*gzip.Reader)
	defer gzipReaders.Put(r)
	if err := r.Reset(bytes.NewReader(packed)); err != nil {
		return nil, fmt.Errorf("%w: gzip: %w", ErrCorrupt, err)
	}
	return readBounded(r, len(packed), limit)
}

// readBounded reads at most limit bytes, and one more to see whether there is more.
func readBounded(r io.Reader, hint, limit int) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(min(4*hint, limit) + bytes.MinRead)
	if _, err := b.ReadFrom(io.LimitReader(r, int64(limit)+1)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if b.Len() > limit {
		return nil, ErrBatchTooLarge
	}
	return b.Bytes(), nil
}

// xerial begins the framing of snappy-java, which Java producers write; others
// write one bare block.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

func unsnappy(packed []byte, limit int) ([]byte, error) {
	const header = 16 // magic, version, oldest compatible version
	if !bytes.HasPrefix(packed, xerial) {
		return appendSnappy(nil, packed, limit)
	}
	if len(packed) < header {
		return nil, fmt.Errorf("%w: snappy frame ends early", ErrCorrupt)
	}
	var all []byte
	for packed = packed[header:]; len(packed) > 0; {
		if len(packed) < 4 {
			return nil, fmt.Errorf("%w: snappy frame ends early", ErrCorrupt)
		}
		size := binary.BigEndian.Uint32(packed)
		packed = packed[4:]
		if uint64(size) > uint64(len(packed)) {
			return nil, fmt.Errorf("%w: snappy frame ends early", ErrCorrupt)
		}
		var err error
		if all, err = appendSnappy(all, packed[:size], limit); err != nil {
			return nil, err
		}
		packed = packed[size:]
	}
	return all, nil
}

// appendSnappy unpacks one block, whose claimed length is judged before any
// memory is given to it.
func appendSnappy(dst, block []byte, limit int) ([]byte, error) {
	size, err := snappy.DecodedLen(block)
	if err != nil {
		return nil, fmt.Errorf("%w: snappy: %w", ErrCorrupt, err)
	}
	if size > limit-len(dst) {
		return nil, ErrBatchTooLarge
	}
	// A block cannot be smaller than a 21st of what it holds (a copy of at most
	// 64 bytes takes three), so a few bytes cannot claim the whole limit.
	if size > 22*len(block)+64 {
		return nil, fmt.Errorf("%w: snappy block claims too much", ErrCorrupt)
	}
	plain, err := snappy.Decode(nil, block)
	if err != nil {
		return nil, fmt.Errorf("%w: snappy: %w", ErrCorrupt, err)
	}
	if dst == nil {
		return plain, nil
	}
	return append(dst, plain...), nil
}

func unzstd(packed []byte, limit int) ([]byte, error) {
	decoder, err := zstdDecoder()
	if err != nil {
		return nil, err
	}
	plain, err := decoder.DecodeAll(packed, nil)
	switch {
	case errorIsAny(err, zstd.ErrDecoderSizeExceeded, zstd.ErrWindowSizeExceeded), len(plain) > limit:
		return nil, ErrBatchTooLarge
	case err != nil:
		return nil, fmt.Errorf("%w: zstd: %w", ErrCorrupt, err)
	}
	return plain, nil
}
