package runs

import (
	"sync"
	"time"
)

// Span is a part of a run, and when it was carried out. Parts may overlap: several exports are read
// at a time.
type Span struct {
	Name   string // read, merge or push
	Source string // of what is read
	Began  time.Time
	Ended  time.Time
	Count  int // rows that were read, contacts that are called
}

type spans struct {
	mu  sync.Mutex
	all []Span
}

// Span begins a part of a run. It ends, and is noted, when the function that comes back is called.
func (m *Meter) Span(name, source string) (end func(count int)) {
	began := time.Now()
	return func(count int) {
		m.spans.mu.Lock()
		defer m.spans.mu.Unlock()
		m.spans.all = append(m.spans.all, Span{name, source, began, time.Now(), count})
	}
}

// TakeSpans returns what was noted since it was called last, in the order of the ends.
func (m *Meter) TakeSpans() []Span {
	m.spans.mu.Lock()
	defer m.spans.mu.Unlock()
	all := m.spans.all
	m.spans.all = nil
	return all
}
