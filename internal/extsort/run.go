package extsort

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"io"
	"slices"
	"sort"
)

// run is a sorted part of a sorter's rows: in blocks, or in a part of its spool. There
// each row has its id without the bytes that it shares with the one before:
//
//	uvarint how many bytes of the id before this one begins with
//	uvarint length, the rest of the id
//	uvarint length, payload
type run struct {
	blocks []block
	marks  []mark // places in the spool, the first one is the run's start
	end    mark
}

// mark is a place in a run where reading can begin: there an id shares nothing.
type mark struct {
	userID []byte
	at     int64 // in the spool
	rows   int   // of the run before it
}

// markEvery is how many bytes of a run there are between two marks.
const markEvery = 64 << 10

// writeRun writes rows that come in order as a run of the spool.
func writeRun(s *Spool, inOrder func(yield func(row, userID, payload []byte) error) error) (run, error) {
	var r run
	var entry, before []byte
	rows := 0
	err := inOrder(func(_, userID, payload []byte) error {
		if at := s.Position(); rows == 0 || at-r.marks[len(r.marks)-1].at >= markEvery {
			r.marks = append(r.marks, mark{bytes.Clone(userID), at, rows})
			before = nil
		}
		shared := sharedLength(userID, before)
		entry = binary.AppendUvarint(entry[:0], uint64(shared))
		entry = appendRow(entry, userID[shared:], payload)
		before, rows = userID, rows+1
		_, err := s.Write(entry)
		return err
	})
	if err == nil {
		err = s.flush()
	}
	r.end = mark{at: s.Position(), rows: rows}
	return r, err
}

// userIDs appends ids of the run that are about equally far apart.
func (r *run) userIDs(ids [][]byte) [][]byte {
	for _, b := range r.blocks {
		id, _ := cut(b.bytes)
		ids = append(ids, id)
	}
	for _, m := range r.marks {
		ids = append(ids, m.userID)
	}
	return ids
}

// Bounds returns the user ids that cut the rows of sorters into n parts of about the same
// size; where there are few rows, into fewer.
func Bounds(sorters []*Sorter, n int) [][]byte {
	var ids [][]byte
	for _, s := range sorters {
		for _, r := range s.runs {
			ids = r.userIDs(ids)
		}
	}
	slices.SortFunc(ids, bytes.Compare)
	var bounds [][]byte
	for i := 1; i < n && len(ids) > 0; i++ {
		bounds = append(bounds, ids[i*len(ids)/n])
	}
	return slices.CompactFunc(bounds, bytes.Equal)
}

// Span is the user ids from one up to, but without, another. No ids stand for the least
// and the greatest one.
type Span struct{ From, To []byte }

// around returns which of n pieces, of which first gives the first id, have to be read for
// the span.
func (s Span) around(n int, first func(i int) []byte) (from, to int) {
	// A piece before one that begins with s.from may end with it.
	from = max(0, sort.Search(n, func(i int) bool { return bytes.Compare(first(i), s.From) >= 0 })-1)
	if s.To == nil {
		return from, n
	}
	to = sort.Search(n, func(i int) bool { return bytes.Compare(first(i), s.To) >= 0 })
	return min(from, to), to
}

// stream reads the rows of a span, those in the spool with a buffer of that size.
func (r *run) stream(s *Spool, span Span, buffer int) Stream {
	if r.blocks != nil {
		return &memoryStream{blocks: span.trim(r.blocks)}
	}
	from, to := span.around(len(r.marks), func(i int) []byte { return r.marks[i].userID })
	if from == to {
		return &memoryStream{}
	}
	end := r.end
	if to < len(r.marks) {
		end = r.marks[to]
	}
	return span.of(&runStream{
		r: s.section(r.marks[from].at, end.at), left: end.rows - r.marks[from].rows, buf: make([]byte, buffer),
	})
}

// trim returns the blocks with the rows of the span.
func (s Span) trim(blocks []block) []block {
	from, to := s.around(len(blocks), func(i int) []byte {
		id, _ := cut(blocks[i].bytes)
		return id
	})
	if blocks = slices.Clone(blocks[from:to]); len(blocks) == 0 {
		return nil
	}
	if last := &blocks[len(blocks)-1]; s.To != nil {
		last.bytes = last.bytes[:last.find(s.To)]
	}
	blocks[0].bytes = blocks[0].bytes[blocks[0].find(s.From):]
	return blocks
}

// find returns where the first row stands whose id is not less than userID.
func (b *block) find(userID []byte) int {
	for rest := b.bytes; len(rest) > 0; {
		id, after := cut(rest)
		if bytes.Compare(id, userID) >= 0 {
			return len(b.bytes) - len(rest)
		}
		_, rest = cut(after)
	}
	return len(b.bytes)
}

// of returns the part of a stream that is in the span.
func (s Span) of(all Stream) Stream {
	if s.From == nil && s.To == nil {
		return all
	}
	return &spanStream{Stream: all, Span: s}
}

type spanStream struct {
	Stream
	Span
	begun bool
}

func (s *spanStream) Next() (userID, payload []byte, ok bool) {
	for {
		userID, payload, ok = s.Stream.Next()
		switch {
		case !ok:
			return nil, nil, false
		case !s.begun && bytes.Compare(userID, s.From) < 0:
		case s.To != nil && bytes.Compare(userID, s.To) >= 0: // to the end, so that it is checked
			s.begun = true
		default:
			s.begun = true
			return userID, payload, true
		}
	}
}

// runStream reads a run of a spool. It checks that the ids come in order and that none is
// missing: a temporary file that does not hold what was written must not turn into
// exits.
type runStream struct {
	r      io.Reader
	left   int // rows
	buf    []byte
	rest   []byte // of buf: what was read and not yet returned
	id     []byte // that was returned last
	failed error
}

func (r *runStream) Next() (userID, payload []byte, ok bool) {
	if r.failed != nil || r.left == 0 {
		if len(r.rest) > 0 {
			r.failed = cmp.Or(r.failed, ErrTemp)
		}
		return nil, nil, false
	}
	for {
		shared, suffix, payload, size := cutRunRow(r.rest)
		switch {
		case size == 0 && r.fill():
			continue
		case size <= 0, shared > len(r.id), bytes.Compare(suffix, r.id[shared:]) < 0:
			r.failed = cmp.Or(r.failed, ErrTemp)
			return nil, nil, false
		}
		r.left--
		r.id = append(r.id[:shared], suffix...)
		r.rest = r.rest[size:]
		return r.id, payload, true
	}
}

func (r *runStream) Err() error { return r.failed }

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
