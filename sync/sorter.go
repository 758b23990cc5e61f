package sync

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"sync/atomic"
)

// sorter sorts rows by user id. Rows of one id stay in the order in which they were
// added. What exceeds the budget goes to a temporary file as sorted runs.
type sorter struct {
	budget int64
	blocks [][]byte
	rows   int // in blocks
	used   int64
	shared []byte // all ids begin with it
	last   []byte // the id that was added last, nil: none is in blocks
	sorted bool   // the rows in blocks came in order: nothing is to be done
	spool  spool
	runs   []run
}

// ref is a row in memory, with the first bytes of its id behind those that all ids
// share: most comparisons need no more.
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
		// Sorting keeps two copies of the refs for a moment.
		if s.used+int64(max(blockSize, need))+int64(s.rows)*refSize*2 > s.budget && s.rows > 0 {
			if err := s.spill(); err != nil {
				return err
			}
		}
		s.addBlock(need)
		last = len(s.blocks) - 1
	}
	if s.last == nil && len(s.runs) == 0 {
		s.shared = bytes.Clone(userID)
	} else if !bytes.HasPrefix(userID, s.shared) {
		s.shared = s.shared[:sharedLength(s.shared, userID)]
	}
	if s.sorted && s.last != nil && bytes.Compare(s.last, userID) > 0 {
		s.sorted = false
	}
	off := len(s.blocks[last])
	s.blocks[last] = appendRow(s.blocks[last], userID, payload)
	s.rows++
	s.last, _ = cut(s.blocks[last][off:])
	return nil
}

func (s *sorter) addBlock(need int) {
	s.blocks = append(s.blocks, make([]byte, 0, max(blockSize, need)))
	s.used += int64(max(blockSize, need))
}

func appendRow(dst, userID, payload []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(userID)))
	dst = append(dst, userID...)
	dst = binary.AppendUvarint(dst, uint64(len(payload)))
	return append(dst, payload...)
}

func sharedLength(a, b []byte) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
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

// row returns the encoded row at r and its parts.
func (s *sorter) row(r ref) (row, userID, payload []byte) {
	row = s.blocks[r.block][r.off:]
	userID, rest := cut(row)
	payload, rest = cut(rest)
	return row[:len(row)-len(rest)], userID, payload
}

func cut(b []byte) (item, rest []byte) {
	if b[0] < 0x80 { // most are short
		n := 1 + int(b[0])
		return b[1:n:n], b[n:]
	}
	size, n := binary.Uvarint(b)
	return b[n : n+int(size) : n+int(size)], b[n+int(size):]
}

// order returns the rows in memory in the order of their ids.
func (s *sorter) order() []ref {
	refs := make([]ref, 0, s.rows)
	for i, block := range s.blocks {
		for rest := block; len(rest) > 0; {
			off := len(block) - len(rest)
			var id []byte
			id, rest = cut(rest)
			_, rest = cut(rest)
			refs = append(refs, ref{prefix(id[len(s.shared):]), uint32(i), uint32(off)})
		}
	}
	if s.sorted {
		return refs
	}
	refs = sortByPrefix(refs)
	for from := 0; from < len(refs); {
		to := from + 1
		for to < len(refs) && refs[to].prefix == refs[from].prefix {
			to++
		}
		if to-from > 1 {
			slices.SortStableFunc(refs[from:to], func(a, b ref) int {
				_, idA, _ := s.row(a)
				_, idB, _ := s.row(b)
				return bytes.Compare(idA, idB)
			})
		}
		from = to
	}
	return refs
}

// sortByPrefix sorts refs by their prefixes and leaves those of one prefix as they came:
// byte by byte, the last one first, but for bytes that are the same in all of them.
func sortByPrefix(refs []ref) []ref {
	var counts [8][256]int
	for _, r := range refs {
		for i := range counts {
			counts[i][byte(r.prefix>>(8*i))]++
		}
	}
	other := make([]ref, len(refs))
	for i := range counts {
		shift := 8 * i
		if counts[i][byte(refs[0].prefix>>shift)] == len(refs) {
			continue
		}
		at := 0
		for b, n := range counts[i] {
			counts[i][b], at = at, at+n
		}
		for _, r := range refs {
			b := byte(r.prefix >> shift)
			other[counts[i][b]] = r
			counts[i][b]++
		}
		refs, other = other, refs
	}
	return refs
}

// spill writes the rows in memory as one sorted run, each id without the bytes that
// it shares with the one before.
func (s *sorter) spill() error {
	from := s.spool.position()
	var entry, before []byte
	for _, r := range s.order() {
		_, userID, payload := s.row(r)
		shared := sharedLength(userID, before)
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
	s.runs = append(s.runs, run{from, s.spool.position(), s.rows})
	s.blocks, s.rows, s.used, s.last, s.sorted = nil, 0, 0, nil, true
	return nil
}

// finish ends the adding. What is in memory takes its share of room, which several
// sorters have together, or goes to the file. It is copied in its order, so that reading
// it goes straight through the memory.
func (s *sorter) finish(room *atomic.Int64) error {
	if s.rows > 0 && room.Add(-s.used) < 0 {
		room.Add(s.used)
		return s.spill()
	}
	s.last = nil
	if s.sorted {
		return nil
	}
	old, refs := sorter{blocks: s.blocks}, s.order()
	s.blocks, s.used, s.sorted = nil, 0, true
	for batch := range slices.Chunk(refs, 32) {
		old.touch(batch)
		for _, r := range batch {
			row, _, _ := old.row(r)
			last := len(s.blocks) - 1
			if last < 0 || cap(s.blocks[last])-len(s.blocks[last]) < len(row) {
				s.addBlock(len(row))
				last++
			}
			s.blocks[last] = append(s.blocks[last], row...)
		}
	}
	return nil
}

// touch reads a byte of each row, so that the processor waits for all of them at once
// and not for one after the other.
//
//go:noinline
func (s *sorter) touch(refs []ref) (sum byte) {
	for _, r := range refs {
		sum += s.blocks[r.block][r.off]
	}
	return sum
}

// stream returns all rows in order, reading runs with buffers of that size. It can be
// asked for again.
func (s *sorter) stream(buffer int) stream {
	var parts []stream
	for _, r := range s.runs {
		parts = append(parts, &runStream{r: s.spool.reader(r.from, r.to, buffer), left: r.rows})
	}
	if s.rows > 0 {
		parts = append(parts, &memoryStream{blocks: s.blocks})
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return newMerger(parts, len(s.shared))
}

func (s *sorter) close() {
	s.spool.close()
	s.blocks, s.rows = nil, 0
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
	blocks  [][]byte // after the present one
	block   []byte   // what is left of it
	id, pay []byte
}

func (m *memoryStream) next() bool {
	for len(m.block) == 0 {
		if len(m.blocks) == 0 {
			return false
		}
		m.block, m.blocks = m.blocks[0], m.blocks[1:]
	}
	m.id, m.block = cut(m.block)
	m.pay, m.block = cut(m.block)
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
