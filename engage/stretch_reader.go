package engage

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"gleapsync/internal/table"
)

// stretches is what a [rowReader] needs to read a file in stretches.
type stretches struct {
	notYet int // after how many rows it is tried again,
	wait   int // and how long that took

	// Of the reader of a stretch, whose first profile may have begun before:
	begun  bool         // it has a row
	isHead bool         // the first profile is being read,
	head   *profileRows // or this is what was seen of it
}

// mayStretch reports whether the rest of the file can be read in stretches, and there is a
// processor with nothing else to do.
func (r *rowReader) mayStretch() bool {
	if r.result.Rows < max(r.notYet, 1) || r.export.Idle == nil || !r.export.Idle() {
		return false
	}
	if r.addPrint == nil && (r.encode == nil || r.seen.seen <= enoughIDs) {
		return false
	}
	switch r.rows.(type) {
	case *table.CSV:
	case *table.Parquet:
		if r.some != nil { // its stretches have all cells, and no prints
			return false
		}
	default:
		return false
	}
	return r.export.Identifiers == AllIDs || r.export.Identifiers == ""
}

// stretchReader reads a file in stretches.
type stretchReader struct {
	*rowReader           // which takes in what was read
	like       rowReader // the same when it began: joining changes that one meanwhile
	cutter     cutter

	free, work, inOrder chan *stretch // the last two have those that were cut
	stop                chan struct{} // closed when no more are to be cut
}

// mostReaders is how many stretches are read at a time: each keeps some megabytes.
const mostReaders = 8

func newStretchReader(r *rowReader) *stretchReader {
	all := make([]stretch, 2*readers()+1)
	x := &stretchReader{
		rowReader: r, like: *r, cutter: newCutter(r),
		free: make(chan *stretch, len(all)), work: make(chan *stretch, len(all)), inOrder: make(chan *stretch, len(all)),
		stop: make(chan struct{}),
	}
	for i := range all {
		x.free <- &all[i]
	}
	return x
}

func readers() int { return min(runtime.GOMAXPROCS(0), mostReaders) }

// read reads the file as far as that can be done in stretches. Next goes on behind.
func (x *stretchReader) read(ctx context.Context) error {
	group, within := errgroup.WithContext(ctx)
	group.Go(func() error { return x.cutAll(within) })
	for range readers() {
		group.Go(func() error {
			for s := range x.work {
				if s.err == nil && within.Err() == nil {
					s.read(&x.like)
				}
				close(s.done)
			}
			return nil
		})
	}
	left, err := x.joinAll(within)
	close(x.stop)
	for s := range x.inOrder {
		left = append(left, s)
	}
	for _, s := range left {
		<-s.done
	}
	if ended := group.Wait(); err == nil {
		err = ended
	}
	if err == nil && len(left) > 0 {
		var last []*table.Stretch
		for _, s := range left {
			last = append(last, s.table.(*table.Stretch))
		}
		x.csv.TakeBack(last)
	}
	return err
}

// cutAll cuts the file, as far as there are stretches to be used again.
func (x *stretchReader) cutAll(ctx context.Context) error {
	defer close(x.work)
	defer close(x.inOrder)
	for {
		select {
		case <-x.stop:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case s := <-x.free:
			var ok bool
			if ok, s.err = x.cutter.cut(s); !ok && s.err == nil {
				return nil
			}
			s.done, s.sound = make(chan struct{}), false
			x.inOrder <- s
			x.work <- s
			if s.err != nil {
				return nil
			}
		}
	}
}

// joinAll takes the stretches in, in their order. It ends with a wrong guess, which is left then.
func (x *stretchReader) joinAll(ctx context.Context) (left []*stretch, err error) {
	for s := range x.inOrder {
		<-s.done
		switch {
		case s.err != nil:
			return nil, fmt.Errorf("%s: %w", x.file, s.err)
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !s.sound:
			x.wait = max(tick, 2*x.wait)
			x.notYet = x.result.Rows + x.wait
			return []*stretch{s}, nil
		case x.canJoin(s.reader):
			err = cmp.Or(x.join(s.reader), s.each(x.add))
		default:
			err = x.readAlone(ctx, s)
		}
		if err != nil {
			return nil, err
		}
		x.free <- s
	}
	return nil, nil
}

// canJoin reports whether join makes of a stretch what reading it alone would have made. It does
// not where rows without an id wait for their profile's end: what is known of them comes in
// between then.
func (x *stretchReader) canJoin(next *rowReader) bool {
	return len(x.unreadableIDs) == 0 && (next.head == nil || len(next.head.unreadableIDs) == 0)
}

// readAlone reads a stretch once more, as if it were none.
func (x *stretchReader) readAlone(ctx context.Context, s *stretch) error {
	r := x.rowReader
	file, cells := r.rows, r.cells
	defer func() { r.turnTo(file); r.cells = cells }()
	s.table.Rewind()
	r.turnTo(s.table)
	for {
		if err := r.next(ctx); err == io.EOF {
			if r.batch != nil {
				r.batch.end(r)
			}
			return nil
		} else if err != nil {
			return err
		}
	}
}

// join takes in what was found in the stretch that comes next.
func (r *rowReader) join(next *rowReader) error {
	if next.begun {
		first := &next.profileRows
		if next.head != nil {
			first = next.head
		}
		if err := r.goOn(first); err != nil {
			return err
		}
		if next.head != nil { // those between are counted
			if err := r.endProfile(); err != nil {
				return err
			}
			r.profileRows = next.profileRows.clone()
		}
	}
	if ticks := (r.result.Rows+next.result.Rows)/tick - r.result.Rows/tick; ticks > 0 && r.export.Progress != nil {
		r.export.Progress(ticks * tick)
	}
	r.result.join(&next.result)
	return nil
}

// goOn goes on with rows of the same profile, or of another one.
func (r *rowReader) goOn(rows *profileRows) error {
	if r.profile >= 0 && len(rows.profileID) > 0 && bytes.Equal(rows.profileID, r.profileID) {
		r.hasID = r.hasID || rows.hasID
		r.withoutID += rows.withoutID
		r.unreadableIDs = append(r.unreadableIDs, rows.unreadableIDs...)
		return nil
	}
	if err := r.endProfile(); err != nil {
		return err
	}
	r.profileRows = rows.clone()
	return nil
}

func (p *profileRows) clone() profileRows {
	return profileRows{bytes.Clone(p.profileID), p.hasID, p.withoutID, slices.Clone(p.unreadableIDs)}
}

// join takes in what comes next.
func (r *Result) join(next *Result) {
	r.Rows += next.Rows
	r.WithoutUserID += next.WithoutUserID
	r.Invalid += next.Invalid
	if next.Unknown > 0 {
		r.miss(next.Unknown, next.FirstUnknown)
	}
	for i, a := range next.Attributes {
		r.Attributes[i].Invalid += a.Invalid
		r.Attributes[i].Fits.Add(a.Fits)
	}
	for i, found := range next.Fields {
		r.Fields[i] = r.Fields[i] || found
	}
	for _, p := range next.Problems {
		r.remember(p)
	}
}
