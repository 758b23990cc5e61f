package rowlist

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"os"

	"github.com/zeebo/xxh3"
)

// Reader reads a list.
type Reader struct {
	Header
	file  io.Closer
	buf   *bufio.Reader
	chunk []byte // of buf
	ahead []byte // of the chunk, from the next row on
	last  bool   // nothing is behind it
	sum   *xxh3.Hasher
	row   Row
	rows  uint64
	ended bool // soundly
	err   error
}

// Open opens the list that a state refers to by an id.
func Open(state, id string) (*Reader, error) {
	file, err := os.Open(Path(state, id))
	if err != nil {
		return nil, err
	}
	r, err := NewReader(file)
	if err == nil && r.Name() != id {
		err = ErrDamaged
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	r.file = file
	return r, nil
}

// NewReader reads a list's header.
func NewReader(text io.Reader) (*Reader, error) {
	r := &Reader{file: io.NopCloser(nil), buf: bufio.NewReaderSize(text, bufferLen), sum: xxh3.New()}
	head := make([]byte, headSize)
	if _, err := io.ReadFull(r.buf, head); err != nil || string(head[:len(magic)]) != magic {
		return nil, ErrDamaged
	}
	_, _ = r.sum.Write(head)
	head = head[len(magic):]
	copy(r.ID[:], head)
	r.Seed = binary.BigEndian.Uint64(head[16:])
	copy(r.Of[:], head[24:])
	return r, nil
}

// Next returns the next row, nil at the end and after an error. It is valid until Next is called
// again.
func (r *Reader) Next() *Row {
	if r.ended || r.err != nil {
		return nil
	}
	if len(r.ahead) < maxRow && !r.last { // to ask buf for each row would move what is left for each
		_, _ = r.buf.Discard(r.addSum())
		var err error
		r.chunk, err = r.buf.Peek(bufferLen)
		r.ahead, r.last = r.chunk, err != nil
	}
	row, rest, ok := r.cut(r.ahead)
	if !ok {
		r.err = ErrDamaged
		return nil
	}
	r.ahead = rest
	if row != nil {
		r.rows++
		return row
	}
	r.addSum()
	if sum := r.sum.Sum128().Bytes(); !bytes.Equal(r.ahead, sum[:]) {
		r.err = ErrDamaged
		return nil
	}
	r.ended = true
	return nil
}

// addSum adds to the sum what was read of the chunk, and returns how many bytes that are.
func (r *Reader) addSum() int {
	n, _ := r.sum.Write(r.chunk[:len(r.chunk)-len(r.ahead)]) // it never fails
	return n
}

// cut takes a row off the front of b, or what stands behind the last one: then it is nil.
func (r *Reader) cut(b []byte) (row *Row, rest []byte, ok bool) {
	shared, b, ok1 := cutNumber(b)
	more, b, ok2 := cutNumber(b)
	if ok = ok1 && ok2; ok && shared == 0 && more == 0 {
		rows, rest, ok := cutNumber(b)
		return nil, rest, ok && rows == r.rows
	}
	if !ok || shared > uint64(len(r.row.UserID)) || more == 0 || more > uint64(len(b)) {
		return nil, nil, false
	}
	id := b[:more]
	if before := r.row.UserID[shared:]; r.rows > 0 && bytes.Compare(id, before) <= 0 {
		return nil, nil, false
	}
	if b = b[more:]; len(b) < len(r.row.Print) {
		return nil, nil, false
	}
	r.row.UserID = append(r.row.UserID[:shared], id...)
	b = b[copy(r.row.Print[:], b):]
	size, b, ok := cutNumber(b)
	if !ok || size > uint64(len(b)) {
		return nil, nil, false
	}
	r.row.Notes = b[:size]
	return &r.row, b[size:], true
}

func cutNumber(b []byte) (v uint64, rest []byte, ok bool) {
	if len(b) > 0 && b[0] < 0x80 { // nearly all
		return uint64(b[0]), b[1:], true
	}
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

// Err returns why the list did not come to a sound end, nil if it did.
func (r *Reader) Err() error {
	if r.err == nil && !r.ended {
		return ErrDamaged
	}
	return r.err
}

// Close closes the list.
func (r *Reader) Close() error { return r.file.Close() }
