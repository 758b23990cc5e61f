package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// decompress fills dst with what was packed, which is as long. None of the libraries is to make room for
// more: what it says of its size may be damaged.
func decompress(dst, packed []byte, codec format.CompressionCodec) error {
	var n int
	var err error
	switch codec {
	case format.Snappy:
		if n, err = snappy.DecodedLen(packed); err == nil && n == len(dst) {
			_, err = snappy.Decode(dst, packed)
		}
	case format.Zstd:
		n, err = unpackZstd(dst, packed)
	case format.Lz4Raw:
		n, err = lz4.UncompressBlock(packed, dst)
	case format.Gzip:
		n, err = unpackStream(&gzips, dst, packed)
	case format.Brotli:
		n, err = unpackStream(&brotlis, dst, packed)
	default:
		return fmt.Errorf("pages compressed with %s: %w", codec, errors.ErrUnsupported)
	}
	if err == nil && n != len(dst) {
		err = errDamaged
	}
	return err
}

// What unpacks is used again: it is large.
var (
	zstds   = sync.Pool{New: newZstd}
	gzips   = sync.Pool{New: func() any { return &stream{reader: new(gzip.Reader)} }}
	brotlis = sync.Pool{New: func() any { return &stream{reader: new(brotli.Reader)} }}
)

func newZstd() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic(err) // the options are what they always are
	}
	return d
}

func unpackZstd(dst, packed []byte) (n int, err error) {
	d := zstds.Get().(*zstd.Decoder)
	defer zstds.Put(d)
	text, err := d.DecodeAll(packed, dst[:0]) // no further than to dst's capacity, and so in place
	return len(text), err
}

// stream unpacks what is read as a stream.
type stream struct {
	packed bytes.Reader
	reader interface {
		io.Reader
		Reset(r io.Reader) error
	}
}

func unpackStream(streams *sync.Pool, dst, packed []byte) (n int, err error) {
	s := streams.Get().(*stream)
	defer streams.Put(s)
	s.packed.Reset(packed)
	defer s.packed.Reset(nil)
	if err := s.reader.Reset(&s.packed); err != nil {
		return 0, err
	}
	if n, err = io.ReadFull(s.reader, dst); err != nil {
		return n, err
	}
	switch _, err := io.ReadFull(s.reader, make([]byte, 1)); err {
	case io.EOF:
		return n, nil // checksums are looked at there
	case nil:
		return n + 1, nil
	default:
		return n, err
	}
}
