package sync

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"slices"
)

// sorter sorts rows by user id. Rows of one id stay in the order in which they were
// added. What exceeds the budget goes to a temporary file as sorted runs.
type sorter struct {
	budget int64
	blocks [][]byte
	refs   []ref
	used   int64
	last   ref
	sorted bool // the rows came in order: nothing is to be done
	spool  spool
	runs   []run
}

// ref is a row in memory, with the first bytes of its id: most comparisons need no
// more.
type ref struct {
	prefix     uint64
	block, off uint32
}

// run is a sorted part of the spool.
type run struct {
	from, to int64
	rows     int
}

const (
	blockSize = 256 << 10
	refSize   = 16
)

func newSorter(budget int64, create createTemp) *sorter {
	return &sorter{budget: max(budget, 2*blockSize), sorted: true, spool: spool{create: create}}
}

// add copies a row.
func (s *sorter) add(userID, payload []byte) error {
	need := len(userID) + len(payload) + 2*binary.MaxVarintLen32
	last := len(s.blocks) - 1
	if last < 0 || cap(s.blocks[last])-len(s.blocks[last]) < need {
		// Growing the refs keeps two copies of them for a moment.
		if s.used+int64(max(blockSize, need))+int64(len(s.refs))*refSize*2 > s.budget && len(s.refs) > 0 {
			if err := s.spill(); err != nil {
				return err
			}
		}
		s.blocks = append(s.blocks, make([]byte, 0, max(blockSize, need)))
		last = len(s.blocks) - 1
		s.used += int64(cap(s.blocks[last]))
	}
	block := s.blocks[last]
	r := ref{prefix(userID), uint32(last), uint32(len(block))}
	block = binary.AppendUvarint(block, uint64(len(userID)))
	block = append(block, userID...)
	block = binary.AppendUvarint(block, uint64(len(payload)))
	s.blocks[last] = append(block, payload...)
	if s.sorted && len(s.refs) > 0 && s.compare(s.last, r) > 0 {
		s.sorted = false
	}
	s.refs = append(s.refs, r)
	s.last = r
	return nil
}

// prefix returns the first eight bytes of id as a number of the same order.
func prefix(id []byte) uint64 {
	if len(id) >= 8 {
		return binary.BigEndian.Uint64(id)
	}
	var p uint64
	for i, b := range id {
		p |= uint64(b) << (56 - 8*i)
	}
	return p
}

func (s *sorter) compare(a, b ref) int {
	switch {
	case a.prefix < b.prefix:
		return -1
	case a.prefix > b.prefix:
		return 1
	}
	idA, _ := s.row(a)
	idB, _ := s.row(b)
	if c := bytes.Compare(idA, idB); c != 0 {
		return c
	}
	if a.block != b.block {
		return int(a.block) - int(b.block)
	}
	return int(a.off) - int(b.off)
}

func (s *sorter) row(r ref) (userID, payload []byte) {
	userID, rest := cut(s.blocks[r.block][r.off:])
	payload, _ = cut(rest)
	return userID, payload
}

func cut(b []byte) (item, rest []byte) {
	size, n := binary.Uvarint(b)
	return b[n : n+int(size)], b[n+int(size):]
}

func (s *sorter) sort() {
	if !s.sorted {
		slices.SortFunc(s.refs, s.compare)
		s.sorted = true
	}
}

// spill writes the rows in memory as one sorted run, each id without the bytes that
// it shares with the one before.
func (s *sorter) spill() error {
	s.sort()
	from := s.spool.position()
	var entry, before []byte
	for _, r := range s.refs {
		userID, payload := s.row(r)
		shared := 0
		for shared < min(len(userID), len(before)) && userID[shared] == before[shared] {
			shared++
		}
		entry = binary.AppendUvarint(entry[:0], uint64(shared))
		entry = binary.AppendUvarint(entry, uint64(len(userID)-shared))
		entry = append(entry, userID[shared:]...)
		entry = binary.AppendUvarint(entry, uint64(len(payload)))
		entry = append(entry, payload...)
		if _, err := s.spool.Write(entry); err != nil {
			return err
		}
		before = userID
	}
	if err := s.spool.flush(); err != nil {
		return err
	}
	s.spool.buf = nil // the memory is for rows
	s.runs = append(s.runs, run{from, s.spool.position(), len(s.refs)})
	s.blocks, s.refs, s.used, s.sorted = nil, nil, 0, true
	return nil
}

// finish ends the adding. What takes more than keep bytes of memory goes to the file.
func (s *sorter) finish(keep int64) error {
	if s.used+int64(len(s.refs))*refSize > keep && len(s.refs) > 0 {
		return s.spill()
	}
	s.sort()
	return nil
}

// stream returns all rows in order, reading runs with buffers of that size. It can be
// asked for again.
func (s *sorter) stream(buffer int) stream {
	var parts []stream
	for _, r := range s.runs {
		parts = append(parts, &runStream{r: s.spool.reader(r.from, r.to, buffer), left: r.rows})
	}
	if len(s.refs) > 0 {
		parts = append(parts, &memoryStream{s: s})
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return newMerger(parts)
}

func (s *sorter) close() {
	s.spool.close()
	s.blocks, s.refs = nil, nil
}

// stream is a sequence of rows in the order of their user ids. What it returns is
// valid until the next call of next.
type stream interface {
	next() bool
	userID() []byte
	payload() []byte
	err() error
}

// memoryStream reads the rows that a sorter kept.
type memoryStream struct {
	s       *sorter
	at      int
	id, pay []byte
}

func (m *memoryStream) next() bool {
	if m.at == len(m.s.refs) {
		return false
	}
	m.id, m.pay = m.s.row(m.s.refs[m.at])
	m.at++
	return true
}

func (m *memoryStream) userID() []byte  { return m.id }
func (m *memoryStream) payload() []byte { return m.pay }
func (m *memoryStream) err() error      { return nil }

// runStream reads a run. It checks that the ids come in order and that none is
// missing: a temporary file that does not hold what was written must not turn into
// exits.
type runStream struct {
	r       *bufio.Reader
	left    int // rows
	id, pay []byte
	before  []byte
	failed  error
}

func (r *runStream) next() bool {
	if r.failed != nil || r.left == 0 {
		return false
	}
	r.left--
	shared, err := binary.ReadUvarint(r.r)
	suffix, err2 := binary.ReadUvarint(r.r)
	if err != nil || err2 != nil || shared > uint64(len(r.id)) || suffix > 1<<20 {
		return r.fail(err, err2)
	}
	r.before = append(r.before[:0], r.id...)
	r.id = slices.Grow(r.id[:shared], int(suffix))[:shared+suffix]
	_, err = io.ReadFull(r.r, r.id[shared:])
	size, err2 := binary.ReadUvarint(r.r)
	if err != nil || err2 != nil || size > 1<<30 || bytes.Compare(r.before, r.id) > 0 {
		return r.fail(err, err2)
	}
	r.pay = slices.Grow(r.pay[:0], int(size))[:size]
	if _, err := io.ReadFull(r.r, r.pay); err != nil {
		return r.fail(err)
	}
	return true
}

func (r *runStream) fail(errs ...error) bool {
	r.failed = errTemp
	for _, err := range errs {
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			r.failed = err
		}
	}
	return false
}

func (r *runStream) userID() []byte  { return r.id }
func (r *runStream) payload() []byte { return r.pay }
func (r *runStream) err() error      { return r.failed }
