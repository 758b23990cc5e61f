package push

import (
	"context"
	"io"
	"math"
	"time"

	"gleapsync/internal/planfile"
	"gleapsync/state"
)

// replica is where the state is kept too: a [*replica.Held].
type replica interface {
	// Keep returns once it has the state as it is, and what may be sent from now on.
	Keep(ctx context.Context, s *state.Store, next []state.Announced) error
}

const (
	// sliceEvery bounds how long what was acknowledged is known here alone.
	sliceEvery = 2 * time.Minute
	// mostSliceBytes bounds the memory for a slice.
	mostSliceBytes = 4 << 20
)

// slicer keeps the entries of a plan in a replica, slice by slice, before the feeder may have
// them. The next slice is kept while the second half of the one before is sent, so that nobody
// waits for it; two of them are open at most. Without a replica it is nil, and does nothing.
type slicer struct {
	replica replica
	store   *state.Store
	ctx     context.Context
	cancel  context.CancelFunc
	ahead   *planfile.Reader           // entries that are in no slice yet; nil: there are no more
	size    int                        // entries in a slice at most
	open    map[string]state.Announced // what slices have, and no commit told an answer of
	coming  int                        // entries of the slice that is being kept
	kept    chan error                 // tells what became of it, nil: none is being kept
	last    time.Time                  // when the last one was begun
	news    bool                       // something was committed since
}

func newSlicer(ctx context.Context, o *Options, ahead *planfile.Reader) *slicer {
	size := mostOpen
	if o.Slice > 0 {
		size = min(size, o.Slice)
	}
	s := &slicer{replica: o.Replica, store: o.Store, ahead: ahead, size: size, open: map[string]state.Announced{}}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s
}

// advance begins to keep the next slice, if it is time for that.
func (s *slicer) advance(f *feeder) error {
	if s == nil || s.kept != nil || s.ctx.Err() != nil {
		return nil
	}
	isDue := s.ahead != nil && f.granted <= s.size/2 && len(s.open) <= s.size
	if !isDue && !(s.news && time.Since(s.last) > sliceEvery) {
		return nil
	}
	s.coming = 0
	for size := 0; isDue && s.ahead != nil && s.coming < s.size && size < mostSliceBytes; {
		e, err := s.ahead.Next()
		if err == io.EOF {
			s.ahead = nil
			break
		}
		if err != nil {
			return err
		}
		s.open[string(e.UserID)] = e.Announced()
		s.coming++
		size += e.Size
	}
	if s.coming == 0 {
		s.grant(f)
		if !s.news {
			return nil
		}
	}
	next := make([]state.Announced, 0, len(s.open))
	for _, a := range s.open {
		next = append(next, a)
	}
	s.last, s.news = time.Now(), false
	kept := make(chan error, 1)
	s.kept = kept
	go func() { kept <- s.replica.Keep(s.ctx, s.store, next) }()
	return nil
}

// result is told what became of the slice that is being kept.
func (s *slicer) result() <-chan error {
	if s == nil {
		return nil
	}
	return s.kept
}

// take notes that, and lets the feeder begin what the slice has.
func (s *slicer) take(f *feeder, err error) error {
	s.kept = nil
	switch {
	case s.ctx.Err() != nil: // the run ends, and says why
		return nil
	case err != nil:
		return err
	}
	s.grant(f)
	return nil
}

func (s *slicer) grant(f *feeder) {
	f.granted += s.coming
	if s.ahead == nil { // so that it comes to the end
		f.granted = math.MaxInt
	}
}

// commit notes what a batch told of the entries.
func (s *slicer) commit(b *batch) {
	if s == nil {
		return
	}
	for _, ack := range b.Acks {
		s.news = true
		if ack.Last {
			delete(s.open, string(ack.UserID))
		}
	}
	for _, p := range b.Parked {
		s.news = true
		delete(s.open, p.UserID)
	}
	for _, id := range b.NotTaken {
		delete(s.open, string(id))
	}
}

// end waits for the slice that is being kept.
func (s *slicer) end() {
	if s == nil {
		return
	}
	s.cancel()
	if s.kept != nil {
		<-s.kept
	}
}
