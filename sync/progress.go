package sync

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

// progress tells its watcher how a run goes on.
type progress struct {
	watch func(Progress)
	name  atomic.Value
	done  atomic.Int64
	total atomic.Int64
	last  atomic.Int64 // when the watcher was told, in nanoseconds
}

// phase begins a phase.
func (p *progress) phase(name string, total int) {
	p.name.Store(name)
	p.done.Store(0)
	p.total.Store(int64(total))
	p.tell()
}

func (p *progress) add(n int) {
	p.done.Add(int64(n))
	last, now := p.last.Load(), time.Now().UnixNano()
	if now-last > int64(250*time.Millisecond) && p.last.CompareAndSwap(last, now) {
		p.tell()
	}
}

func (p *progress) tell() {
	if p.watch != nil {
		p.watch(Progress{p.name.Load().(string), int(p.done.Load()), int(p.total.Load())})
	}
}
