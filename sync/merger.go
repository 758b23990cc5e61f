package sync

import "bytes"

// merger merges streams into one. Rows of one user id come in the order of the
// streams.
type merger struct {
	heap    []mergeHead // the one with the smallest id is first
	shared  int         // all ids begin with the same bytes, so many
	started bool
	failed  error
}

type mergeHead struct {
	prefix uint64
	order  int
	stream stream
}

func newMerger(streams []stream, shared int) *merger {
	m := &merger{shared: shared}
	for i, s := range streams {
		m.heap = append(m.heap, mergeHead{order: i, stream: s})
	}
	return m
}

func (m *merger) next() bool {
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
	return len(m.heap) > 0 && m.failed == nil
}

func (m *merger) advance(h *mergeHead) bool {
	if h.stream.next() {
		h.prefix = prefix(h.stream.userID()[m.shared:])
		return true
	}
	if err := h.stream.err(); err != nil {
		m.failed = err
	}
	return false
}

// down moves the head at i to where it belongs.
func (m *merger) down(i int) {
	for {
		least := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < len(m.heap) && m.heap[child].before(&m.heap[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		m.heap[i], m.heap[least] = m.heap[least], m.heap[i]
		i = least
	}
}

func (h *mergeHead) before(other *mergeHead) bool {
	if h.prefix != other.prefix {
		return h.prefix < other.prefix
	}
	c := bytes.Compare(h.stream.userID(), other.stream.userID())
	return c < 0 || c == 0 && h.order < other.order
}

func (m *merger) userID() []byte  { return m.heap[0].stream.userID() }
func (m *merger) payload() []byte { return m.heap[0].stream.payload() }
func (m *merger) err() error      { return m.failed }

// source returns which of the streams the row comes from.
func (m *merger) source() int { return m.heap[0].order }
