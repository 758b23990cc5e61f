package sync

import (
	"cmp"
	"encoding/binary"
	"io"
)

// run is a sorted part of a sorter's rows: in blocks, or in a part of its spool. There
// each row has its id without the bytes that it shares with the one before:
//
//	uvarint how many bytes of the id before this one begins with
//	uvarint length, the rest of the id
//	uvarint length, payload
type run struct {
	blocks   []block
	from, to int64
	rows     int // in the spool
}

// writeRun writes rows that come in order as a run of the spool.
func writeRun(s *spool, inOrder func(yield func(row, userID, payload []byte) error) error) (run, error) {
	r := run{from: s.position()}
	var entry, before []byte
	err := inOrder(func(_, userID, payload []byte) error {
		shared := sharedLength(userID, before)
		entry = binary.AppendUvarint(entry[:0], uint64(shared))
		entry = appendRow(entry, userID[shared:], payload)
		before, r.rows = userID, r.rows+1
		_, err := s.Write(entry)
		return err
	})
	if err == nil {
		err = s.flush()
	}
	r.to = s.position()
	return r, err
}

// runStream reads a run of a spool. It checks that the ids come in order and that none is
// missing: a temporary file that does not hold what was written must not turn into
// exits.
type runStream struct {
	r       io.Reader
	left    int // rows
	buf     []byte
	rest    []byte // of buf: what was read and not yet returned
	id, pay []byte
	failed  error
}

func newRunStream(s *spool, r run, buffer int) *runStream {
	return &runStream{r: s.section(r.from, r.to), left: r.rows, buf: make([]byte, buffer)}
}

func (r *runStream) next() (userID, payload []byte, ok bool) {
	if r.failed != nil || r.left == 0 {
		return nil, nil, false
	}
	for {
		shared, suffix, payload, size := cutRunRow(r.rest)
		switch {
		case size == 0 && r.fill():
			continue
		// An id comes behind the one before if it is that one and more, or greater in the
		// first byte that differs.
		case size <= 0, shared > len(r.id), shared < len(r.id) && (len(suffix) == 0 || suffix[0] < r.id[shared]):
			r.failed = cmp.Or(r.failed, errTemp)
			return nil, nil, false
		}
		r.left--
		r.id = append(r.id[:shared], suffix...)
		r.rest = r.rest[size:]
		return r.id, payload, true
	}
}

// fill reads more behind what is left, and reports whether there was more.
func (r *runStream) fill() bool {
	if len(r.rest) > len(r.buf)/2 {
		r.buf = make([]byte, 2*len(r.buf))
	}
	kept := copy(r.buf, r.rest)
	n, err := io.ReadAtLeast(r.r, r.buf[kept:], 1)
	r.rest = r.buf[:kept+n]
	if err != nil && err != io.EOF {
		r.failed = err
	}
	return n > 0
}

const (
	maxRunID      = 1 << 20 // bytes, far more than any id has
	maxRunPayload = 1 << 30
)

// cutRunRow returns the parts of the row at the start of b and its size: 0 if b does not
// hold all of it, less if it can be none.
func cutRunRow(b []byte) (shared int, suffix, payload []byte, size int) {
	first, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, nil, n
	}
	if first > maxRunID {
		return 0, nil, nil, -1
	}
	suffix, rest, n := cutUpTo(b[n:], maxRunID)
	if n <= 0 {
		return 0, nil, nil, n
	}
	payload, rest, n = cutUpTo(rest, maxRunPayload)
	if n <= 0 {
		return 0, nil, nil, n
	}
	return int(first), suffix, payload, len(b) - len(rest)
}

// cutUpTo cuts an item of limited size; n is as in [cutRunRow].
func cutUpTo(b []byte, limit uint64) (item, rest []byte, n int) {
	size, n := binary.Uvarint(b)
	switch {
	case n <= 0:
		return nil, nil, n
	case size > limit:
		return nil, nil, -1
	case size > uint64(len(b)-n):
		return nil, nil, 0
	}
	return b[n : n+int(size)], b[n+int(size):], n
}

func (r *runStream) err() error { return r.failed }
