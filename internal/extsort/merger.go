package extsort

import "bytes"

// Merger merges streams into one. Rows of one user id come in the order of the
// streams.
type Merger struct {
	heap    []mergeHead // the one with the smallest id is first
	shared  int         // all ids begin with the same bytes, so many
	started bool
	failed  error
}

// mergeHead is a stream that has a row. Most comparisons need no more than the prefix.
type mergeHead struct {
	prefix uint64
	input  *mergeInput
}

type mergeInput struct {
	userID, payload []byte
	stream          Stream
	order           int
}

// Shared returns how many bytes the ids of all sorters have in common at their start, for [NewMerger].
func Shared(sorters []*Sorter) int {
	var shared []byte
	first := true
	for _, s := range sorters {
		switch {
		case s.shared == nil: // no rows
		case first:
			shared, first = s.shared, false
		default:
			shared = shared[:sharedLength(shared, s.shared)]
		}
	}
	return len(shared)
}

// NewMerger merges streams. All their ids begin with the same bytes, so many: 0 if nobody knows.
func NewMerger(streams []Stream, shared int) *Merger {
	m := &Merger{shared: shared}
	for i, s := range streams {
		m.heap = append(m.heap, mergeHead{input: &mergeInput{order: i, stream: s}})
	}
	return m
}

// Next implements [Stream].
func (m *Merger) Next() (userID, payload []byte, ok bool) {
	if !m.started {
		m.started = true
		heads := m.heap
		m.heap = nil
		for _, h := range heads {
			if m.advance(&h) {
				m.heap = append(m.heap, h)
			}
		}
		for i := len(m.heap)/2 - 1; i >= 0; i-- {
			m.down(i)
		}
	} else if len(m.heap) > 0 {
		if !m.advance(&m.heap[0]) {
			last := len(m.heap) - 1
			m.heap[0] = m.heap[last]
			m.heap = m.heap[:last]
		}
		m.down(0)
	}
	if len(m.heap) == 0 || m.failed != nil {
		return nil, nil, false
	}
	first := m.heap[0].input
	return first.userID, first.payload, true
}

func (m *Merger) advance(h *mergeHead) (ok bool) {
	in := h.input
	if in.userID, in.payload, ok = in.stream.Next(); ok {
		if len(in.userID) < m.shared { // it does not begin as all do
			m.failed = ErrTemp
			return false
		}
		h.prefix = prefix(in.userID[m.shared:])
		return true
	}
	if err := in.stream.Err(); err != nil {
		m.failed = err
	}
	return false
}

// down moves the head at i to where it belongs.
func (m *Merger) down(i int) {
	heap := m.heap
	if i >= len(heap) {
		return
	}
	moving := heap[i]
	for {
		child := 2*i + 1
		if child >= len(heap) {
			break
		}
		if other := child + 1; other < len(heap) && heap[other].before(heap[child]) {
			child = other
		}
		if !heap[child].before(moving) {
			break
		}
		heap[i] = heap[child]
		i = child
	}
	heap[i] = moving
}

func (h mergeHead) before(other mergeHead) bool {
	if h.prefix != other.prefix {
		return h.prefix < other.prefix
	}
	return h.input.before(other.input)
}

func (in *mergeInput) before(other *mergeInput) bool {
	c := bytes.Compare(in.userID, other.userID)
	return c < 0 || c == 0 && in.order < other.order
}

// Err implements [Stream].
func (m *Merger) Err() error { return m.failed }

// Source returns which of the streams the row comes from.
func (m *Merger) Source() int { return m.heap[0].input.order }
