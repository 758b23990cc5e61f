package extsort

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Sorter sorts rows by user id. Rows of one id stay in the order in which they were
// added. Whenever the rows reach the budget they are sorted and become a run, in memory
// as long as there is room and else in a temporary file; that goes on beside the adding.
type Sorter struct {
	budget int64
	memory *Memory
	spool  Spool
	runs   []run
	kept   int64   // bytes of memory that runs have reserved
	blocks []block // the rows that are in no run yet

	// What the adding works with.
	adding  block
	last    []byte // the id that was added last
	started bool   // rows were added
	jumps   bool   // they did not all come in order
	shared  []byte // all ids begin with it
	full    chan block
	done    chan struct{} // closed when nothing is taken out of full any more
	failed  error         // why; valid once done is closed

	_ [128]byte // what another processor writes must not lie on the same line of its cache
}

// block is a piece of memory with rows: uvarint length, id, uvarint length, payload.
type block struct {
	bytes  []byte
	rows   int
	sorted bool // the rows come in order, and behind those of the block before
	shared int  // all ids up to here begin with the same bytes, so many
}

// New returns a sorter that makes a run of its rows whenever they need budget bytes. Runs are
// kept in memory as long as that has room, and else in a file from create. It has to be closed.
func New(budget int64, memory *Memory, create CreateTemp) *Sorter {
	return &Sorter{budget: max(budget, 2*blockSize), memory: memory, spool: Spool{Create: create}}
}

// Add copies a row. The error is one of writing a temporary file.
func (s *Sorter) Add(userID, payload []byte) error {
	need := len(userID) + len(payload) + 2*binary.MaxVarintLen32
	if cap(s.adding.bytes)-len(s.adding.bytes) < need {
		if err := s.nextBlock(need); err != nil {
			return err
		}
	}
	switch {
	case !s.started:
		s.started, s.shared = true, bytes.Clone(userID)
	case !bytes.HasPrefix(userID, s.shared):
		s.shared = s.shared[:sharedLength(s.shared, userID)]
	}
	if s.adding.sorted && bytes.Compare(s.last, userID) > 0 {
		s.adding.sorted, s.jumps = false, true
	}
	off := len(s.adding.bytes)
	s.adding.bytes = appendRow(s.adding.bytes, userID, payload)
	s.adding.rows++
	s.last, _ = cut(s.adding.bytes[off:])
	return nil
}

// nextBlock hands the full block on and takes another one, with room for need bytes.
func (s *Sorter) nextBlock(need int) error {
	if err := s.handOn(); err != nil {
		return err
	}
	s.last = bytes.Clone(s.last) // the block is not ours any more
	s.adding = block{bytes: s.memory.get(need), sorted: true}
	return nil
}

// handOn gives the block to the goroutine that makes runs, which the first block starts.
func (s *Sorter) handOn() error {
	if s.adding.rows == 0 {
		return nil
	}
	if s.full == nil {
		s.full, s.done = make(chan block, 2), make(chan struct{})
		go s.collect()
	}
	s.adding.shared = len(s.shared)
	select {
	case s.full <- s.adding:
		s.adding = block{}
		return nil
	case <-s.done:
		return s.failed
	}
}

// collect gathers full blocks and makes runs of them.
func (s *Sorter) collect() {
	defer close(s.done)
	used, rows := int64(0), 0
	for b := range s.full {
		// Sorting keeps two copies of the refs for a moment.
		if len(s.blocks) > 0 && used+int64(cap(b.bytes))+int64(rows+b.rows)*2*refSize > s.budget {
			if s.failed = s.endRun(); s.failed != nil {
				return
			}
			used, rows = 0, 0
		}
		s.blocks = append(s.blocks, b)
		used, rows = used+int64(cap(b.bytes)), rows+b.rows
	}
}

// stop ends the goroutine.
func (s *Sorter) stop() {
	if s.full != nil {
		close(s.full)
		<-s.done
		s.full = nil
	}
}

// appendRow appends a row as a sorter keeps it: uvarint length, id, uvarint length, payload.
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

// row returns the encoded row at r and its parts.
func (s *Sorter) row(r ref) (row, userID, payload []byte) {
	row = s.blocks[r.block].bytes[r.off:]
	userID, rest := cut(row)
	payload, rest = cut(rest)
	return row[:len(row)-len(rest)], userID, payload
}

func (s *Sorter) userID(r ref) []byte {
	userID, _ := cut(s.blocks[r.block].bytes[r.off:])
	return userID
}

func cut(b []byte) (item, rest []byte) {
	if b[0] < 0x80 { // most are short
		n := 1 + int(b[0])
		return b[1:n:n], b[n:]
	}
	size, n := binary.Uvarint(b)
	return b[n : n+int(size) : n+int(size)], b[n+int(size):]
}

// isSorted reports whether the rows in memory came in order.
func (s *Sorter) isSorted() bool {
	return !slices.ContainsFunc(s.blocks, func(b block) bool { return !b.sorted })
}

// endRun makes a run of the blocks. In memory the rows are copied in their order, so that
// reading them goes straight through it.
func (s *Sorter) endRun() error {
	used := int64(0)
	for _, b := range s.blocks {
		used += int64(cap(b.bytes))
	}
	if !s.memory.reserve(used) {
		run, err := writeRun(&s.spool, s.inOrder)
		if err != nil {
			return err
		}
		s.runs = append(s.runs, run)
		s.giveBack()
		return nil
	}
	s.kept += used
	kept := s.blocks
	if !s.isSorted() {
		kept = s.copyInOrder()
		s.giveBack()
	}
	s.runs = append(s.runs, run{blocks: kept})
	s.blocks = nil
	return nil
}

// giveBack lets others use the memory of the blocks.
func (s *Sorter) giveBack() {
	for _, b := range s.blocks {
		s.memory.put(b.bytes)
	}
	s.blocks = nil
}

// Finish ends the adding. What was added can be read then.
func (s *Sorter) Finish() error {
	if s.full == nil && s.adding.rows > 0 { // little
		s.adding.shared = len(s.shared)
		s.blocks = append(s.blocks, s.adding)
	} else if err := s.handOn(); err != nil {
		return err
	}
	s.stop()
	s.adding, s.last = block{}, nil
	if s.failed != nil || len(s.blocks) == 0 {
		return s.failed
	}
	return s.endRun()
}

// Stream returns the rows of a span in order, reading runs of the spool with buffers of
// that size. It can be asked for again.
func (s *Sorter) Stream(span Span, buffer int) Stream {
	var parts []Stream
	for _, r := range s.runs {
		parts = append(parts, r.stream(&s.spool, span, buffer))
	}
	switch {
	case len(parts) == 1:
		return parts[0]
	case !s.jumps:
		return &Chain{Parts: parts}
	}
	return NewMerger(parts, len(s.shared))
}

// Spilled returns how many runs are in the temporary file.
func (s *Sorter) Spilled() (n int) {
	for _, r := range s.runs {
		if r.blocks == nil {
			n++
		}
	}
	return n
}

// Close gives back all memory, and the temporary file.
func (s *Sorter) Close() {
	s.stop()
	s.spool.Close()
	s.memory.release(s.kept)
	s.runs, s.blocks, s.adding, s.kept = nil, nil, block{}, 0
}
