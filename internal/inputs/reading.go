package inputs

import (
	"context"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"gleapsync/engage"
	"gleapsync/internal/extsort"
	"gleapsync/internal/guard"
	"gleapsync/internal/known"
)

// Inputs are the exports of a run while they are read.
type Inputs struct {
	catalog
	Lists  *known.Lists   // of contacts that may be created; nil: all may be
	Memory extsort.Memory // of the rows
	budget int64          // for the rows of one export while they are sorted
	busy   atomic.Int32   // exports that are being read
}

// New returns the inputs of a run, none of which is open yet.
func New(b *Basis) *Inputs {
	return &Inputs{catalog: newCatalog(b), Memory: extsort.Memory{Room: roomFor(b.o.Memory)}, budget: b.o.Memory / 4}
}

// open opens an export, and reports whether it could.
func (in *Inputs) open(ctx context.Context, e *Input) bool {
	e.Log = func(line string) { in.o.Log.Info("a command says", "command", e.Source, "line", line) }
	e.Progress, e.Idle = in.o.Meter.Add, in.isIdle
	e.Sorting = engage.Sorting{Budget: in.budget / 2, Memory: &in.Memory, Temp: in.o.Temp} // there are two tables
	if e.source, e.openErr = e.Open(ctx); e.openErr != nil {
		return false
	}
	if e.openErr = e.checkLoaded(ctx, in.At); e.openErr != nil {
		return false
	}
	e.Dated = guard.DateOf(e.source.AsOf(), in.At)
	return true
}

// expectEnd tells a source that is about to be read how the export ended before, as far as the
// attributes know that it may have.
func (in *Inputs) expectEnd(e *Input, attributes []engage.Attribute) {
	if slices.ContainsFunc(attributes, func(a engage.Attribute) bool { return in.known[a.Key].Applied.EndsLines }) {
		e.source.EndsLines()
	}
}

// newRows returns an empty sorter for one export.
func (in *Inputs) newRows() *extsort.Sorter { return extsort.New(in.budget, &in.Memory, in.o.Temp) }

// each calls a function for each of some exports, a few at a time, and has them share the
// memory.
func (in *Inputs) each(ctx context.Context, exports []*Input, do func(context.Context, *Input) error) error {
	if len(exports) == 0 {
		return ctx.Err()
	}
	workers := min(runtime.GOMAXPROCS(0), len(exports))
	in.budget = in.o.Memory / int64(4*workers)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, e := range exports {
		group.Go(func() error {
			in.busy.Add(1)
			defer in.busy.Add(-1)
			return do(ctx, e)
		})
	}
	return group.Wait()
}

// isIdle reports whether there are fewer exports to read than processors.
func (in *Inputs) isIdle() bool { return int(in.busy.Load()) < runtime.GOMAXPROCS(0) }

// saw counts rows that were read, so many of an export by now.
func (in *Inputs) saw(rows int) {
	const some = 1 << 14
	if rows%some == 0 {
		in.o.Meter.Add(some)
	}
}

// roomFor returns how much of so many bytes may be reserved: a quarter is for exports while
// they are read, the rest for what is kept of them afterwards.
func roomFor(bytes int64) int64 { return bytes - bytes/4 }
