package runs

import (
	"sync/atomic"
	"time"
)

// Progress says how far a run is.
type Progress struct {
	Phase string // reading (rows), sending (contacts) or events
	Done  int
	Total int // 0: not known
}

// Meter tells a watcher how a run goes on, a few times a second at most. Several goroutines
// may use it at a time.
type Meter struct {
	watch func(Progress)
	also  atomic.Pointer[func(Progress)]
	name  atomic.Value
	done  atomic.Int64
	total atomic.Int64
	last  atomic.Int64 // when the watcher was told, in nanoseconds
	spans spans
}

// NewMeter returns a meter; the watcher may be nil.
func NewMeter(watch func(Progress)) *Meter { return &Meter{watch: watch} }

// Phase begins a phase.
func (m *Meter) Phase(name string, total int) {
	m.name.Store(name)
	m.done.Store(0)
	m.total.Store(int64(total))
	m.tell()
}

// Add notes that so much more is done.
func (m *Meter) Add(n int) {
	m.done.Add(int64(n))
	last, now := m.last.Load(), time.Now().UnixNano()
	if now-last > int64(250*time.Millisecond) && m.last.CompareAndSwap(last, now) {
		m.tell()
	}
}

// Also has another watcher told too, or none any more: nil.
func (m *Meter) Also(watch func(Progress)) { m.also.Store(&watch) }

// Progress returns how far the run is. The watcher may have been told less.
func (m *Meter) Progress() Progress {
	name, _ := m.name.Load().(string) // "": rows are read for no run
	return Progress{name, int(m.done.Load()), int(m.total.Load())}
}

func (m *Meter) tell() {
	p := m.Progress()
	if m.watch != nil {
		m.watch(p)
	}
	if also := m.also.Load(); also != nil && *also != nil {
		(*also)(p)
	}
}
