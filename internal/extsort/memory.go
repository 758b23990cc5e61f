package extsort

import (
	"slices"
	"sync"
)

// Memory is what several sorters share: the blocks that they keep rows in, which
// are cheaper to use again than to get anew, and the right to keep rows in memory.
type Memory struct {
	mu    sync.Mutex
	Room  int64 // bytes that may still be reserved
	free  [][]byte
	chunk []byte // of which no block was made yet
	size  int    // of the chunk that was got last
	refs  [][]ref
}

const (
	blockSize    = 128 << 10
	largestChunk = 128 * blockSize
)

// reserve takes bytes of the room and reports whether there were so many.
func (m *Memory) reserve(bytes int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if bytes > m.Room {
		return false
	}
	m.Room -= bytes
	return true
}

// release gives back what was reserved.
func (m *Memory) release(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Room += bytes
}

// get returns an empty block, of the usual size if that is enough for need bytes.
func (m *Memory) get(need int) []byte {
	if need > blockSize {
		return make([]byte, 0, need)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if last := len(m.free) - 1; last >= 0 {
		block := m.free[last]
		m.free = m.free[:last]
		return block
	}
	if len(m.chunk) == 0 { // each twice as large as the one before
		m.size = min(max(2*m.size, blockSize), largestChunk)
		m.chunk = newChunk(m.size)
	}
	block := m.chunk[:0:blockSize]
	m.chunk = m.chunk[blockSize:]
	return block
}

// put takes a block back.
func (m *Memory) put(block []byte) {
	if cap(block) != blockSize {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free = append(m.free, block[:0])
}

// getRefs returns n refs, whatever they are.
func (m *Memory) getRefs(n int) []ref {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, refs := range m.refs {
		if cap(refs) >= n {
			m.refs = slices.Delete(m.refs, i, i+1)
			return refs[:n]
		}
	}
	m.refs = nil // those that are too small are in the way
	return make([]ref, n, n+n/8)
}

// putRefs takes refs back.
func (m *Memory) putRefs(refs []ref) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refs = append(m.refs, refs)
}

// Clear leaves all memory to the garbage collector.
func (m *Memory) Clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free, m.chunk, m.size, m.refs, m.Room = nil, nil, 0, nil, 0
}
