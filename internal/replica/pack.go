package replica

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"gleapsync/state"
)

// object names an object of the bucket, and what it has to be.
type object struct {
	Key    string `json:"key"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

const (
	// partSize is how large a part is before it is compressed: parts are held in memory.
	partSize = 16 << 20
	// mostPart bounds what is read of one. A record is never larger than a fraction of that.
	mostPart = 2 * partSize
)

// partMagic begins each part.
var partMagic = []byte("gleapsync part 1\n")

// Kinds of entries in a part.
const (
	kindValue = iota
	kindGone
	kindCount
	kindNoBucket
)

// spool packs entries into parts, in a file.
type spool struct {
	file  *os.File
	zstd  *zstd.Encoder
	raw   []byte
	parts []object // without keys, one after the other in the file
	size  int64
}

// newSpool returns a spool in a temporary file of a folder.
func newSpool(dir string) (*spool, error) {
	file, err := os.CreateTemp(dir, spoolName)
	if err != nil {
		return nil, err
	}
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault))
	if err != nil {
		return nil, err
	}
	return &spool{file: file, zstd: encoder}, nil
}

const spoolName = ".gleapsync-replica-*"

// removeSpools removes what processes left that were killed.
func removeSpools(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, spoolName))
	for _, path := range left {
		os.Remove(path)
	}
}

func (s *spool) close() {
	s.file.Close()
	os.Remove(s.file.Name())
}

// add adds an entry.
func (s *spool) add(e state.Entry) error {
	if len(s.raw) == 0 {
		s.raw = append(s.raw, partMagic...)
	}
	kind, value := byte(kindValue), e.Value
	switch {
	case e.Key == nil && e.Value == nil:
		kind = kindNoBucket
	case e.Key == nil:
		kind = kindCount
	case e.Value == nil:
		kind = kindGone
	}
	s.raw = append(s.raw, kind)
	for _, b := range [][]byte{e.Bucket, e.Key, value} {
		s.raw = binary.AppendUvarint(s.raw, uint64(len(b)))
		s.raw = append(s.raw, b...)
	}
	if len(s.raw) >= partSize {
		return s.end()
	}
	return nil
}

// end ends a part, if one was begun.
func (s *spool) end() error {
	if len(s.raw) == 0 {
		return nil
	}
	packed := s.zstd.EncodeAll(s.raw, nil)
	s.raw = s.raw[:0]
	if _, err := s.file.Write(packed); err != nil {
		return err
	}
	s.parts = append(s.parts, object{SHA256: digest(packed), Bytes: int64(len(packed))})
	s.size += int64(len(packed))
	return nil
}

// next returns a function that reads the parts, one after the other.
func (s *spool) next() func() ([]byte, error) {
	i, at := 0, int64(0)
	return func() ([]byte, error) {
		if i == len(s.parts) {
			return nil, io.EOF
		}
		packed := make([]byte, s.parts[i].Bytes)
		if _, err := s.file.ReadAt(packed, at); err != nil {
			return nil, err
		}
		at += s.parts[i].Bytes
		i++
		return packed, nil
	}
}

// errPart is an object that is not what it should be.
var errPart = errors.New("it is not what was written: it is damaged, or somebody else wrote it")

// entries reads parts, which next returns one by one until io.EOF.
type entries struct {
	next func() ([]byte, error)
	rest []byte
}

var decoder, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(mostPart))

// Next returns the next entry, io.EOF after the last one. Its bytes stay as they are.
func (r *entries) Next() (state.Entry, error) {
	for len(r.rest) == 0 {
		packed, err := r.next()
		if err != nil {
			return state.Entry{}, err
		}
		raw, err := decoder.DecodeAll(packed, nil)
		if err != nil || !bytes.HasPrefix(raw, partMagic) {
			return state.Entry{}, errPart
		}
		r.rest = raw[len(partMagic):]
	}
	e, rest, err := cutEntry(r.rest)
	r.rest = rest
	return e, err
}

func cutEntry(b []byte) (e state.Entry, rest []byte, err error) {
	kind := b[0]
	b = b[1:]
	var fields [3][]byte
	for i := range fields {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return e, nil, errPart
		}
		b = b[size:]
		fields[i], b = b[:n:n], b[n:]
	}
	e = state.Entry{Bucket: fields[0]}
	if len(e.Bucket) == 0 || (kind == kindValue || kind == kindGone) == (len(fields[1]) == 0) {
		return e, nil, errPart
	}
	switch kind {
	case kindValue:
		e.Key, e.Value = fields[1], fields[2]
	case kindGone:
		e.Key = fields[1]
	case kindCount:
		e.Value = fields[2]
	case kindNoBucket:
	default:
		return e, nil, errPart
	}
	return e, b, nil
}

func appendBytes(b, text []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func cutBytes(b []byte) (text, rest []byte, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, errPart
	}
	b = b[size:]
	return b[:n:n], b[n:], nil
}

// pack compresses what is not made of entries.
func pack(raw []byte) ([]byte, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return encoder.EncodeAll(raw, nil), nil
}

func unpack(packed []byte) ([]byte, error) {
	raw, err := decoder.DecodeAll(packed, nil)
	if err != nil {
		return nil, errPart
	}
	return raw, nil
}
