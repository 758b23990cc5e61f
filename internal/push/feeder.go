package push

import (
	"io"
	"math"

	"gleapsync/internal/planfile"
)

const (
	// mostOpen and mostOpenBytes bound what the state has of calls that may be begun.
	mostOpen      = 20_000
	mostOpenBytes = 1 << 20
)

// feeder lets the senders have the entries of a plan, each once the state has it. Gleap may
// have all that is open after a crash, so that is little.
type feeder struct {
	entries  *planfile.Reader     // nil: no more of them are to be begun
	begun    chan *planfile.Entry // those whose calls may be made
	closed   bool                 // begun is
	open     int                  // those that were read and have no answer
	openSize int                  // their bytes
	mayOpen  int                  // how many may be open
	granted  int                  // how many may still be begun
}

func newFeeder(entries *planfile.Reader, mayOpen int) *feeder {
	return &feeder{entries: entries, begun: make(chan *planfile.Entry, mostOpen), mayOpen: mayOpen, granted: math.MaxInt}
}

// read reads the entries whose calls are to be made next, as many as may be open. The error is
// of the plan, and comes with those before it.
func (f *feeder) read() (entries []*planfile.Entry, err error) {
	for f.entries != nil && f.open < f.mayOpen && f.openSize < mostOpenBytes && f.granted > 0 {
		e, err := f.entries.Next()
		if err == io.EOF {
			f.entries = nil
			break
		}
		if err != nil {
			return entries, err
		}
		entries = append(entries, e)
		f.open++
		f.granted--
		f.openSize += e.Size
	}
	return entries, nil
}

// hand lets the senders have entries that the state has.
func (f *feeder) hand(entries []*planfile.Entry) {
	for _, e := range entries {
		f.begun <- e
	}
	if f.entries == nil && !f.closed {
		close(f.begun)
		f.closed = true
	}
}

// answered notes that all is known of an entry.
func (f *feeder) answered(e *planfile.Entry) {
	f.open--
	f.openSize -= e.Size
}

// grow lets more be open if what was did not last from one commit to the next, and reports
// whether it did.
func (f *feeder) grow() bool {
	if f.entries == nil || f.granted == 0 || f.open >= f.mayOpen/2 || f.openSize >= mostOpenBytes/2 {
		return false
	}
	f.mayOpen = min(2*f.mayOpen, mostOpen)
	return true
}

// end has no more entries begun. It returns those that the senders, which have ended, left.
func (f *feeder) end() (left []*planfile.Entry) {
	f.entries = nil
	f.hand(nil)
	for e := range f.begun {
		left = append(left, e)
	}
	return left
}
