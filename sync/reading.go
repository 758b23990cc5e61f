package sync

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"gleapsync/engage"
	"gleapsync/internal/extsort"
	"gleapsync/internal/guard"
	"gleapsync/internal/known"
	"gleapsync/internal/runs"
)

// reading is what the inputs of a run share while they are read.
type reading struct {
	catalog
	memory extsort.Memory // of the exports' rows
	budget int64          // for the rows of one export while they are sorted
	temp   extsort.CreateTemp
	state  string // the path of the state, beside which the lists of rows lie
	log    *slog.Logger
	meter  *runs.Meter
	lists  *known.Lists
	busy   atomic.Int32 // exports that are being read
}

// open opens an export, and reports whether it could.
func (r *reading) open(ctx context.Context, e *export) bool {
	e.Log = func(line string) { r.log.Info("a command says", "command", e.Source, "line", line) }
	e.Progress, e.Idle = r.meter.Add, r.isIdle
	e.Sorting = engage.Sorting{Budget: r.budget / 2, Memory: &r.memory, Temp: r.temp} // there are two tables
	if e.source, e.openErr = e.Open(ctx); e.openErr != nil {
		return false
	}
	if e.openErr = e.checkLoaded(ctx, r.at); e.openErr != nil {
		return false
	}
	e.Dated = guard.DateOf(e.source.AsOf(), r.at)
	return true
}

// expectEnd tells a source that is about to be read how the export ended before, as far as the
// attributes know that it may have.
func (r *reading) expectEnd(e *export, attributes []engage.Attribute) {
	if slices.ContainsFunc(attributes, func(a engage.Attribute) bool { return r.known[a.Key].Applied.EndsLines }) {
		e.source.EndsLines()
	}
}

// newRows returns an empty sorter for one export.
func (r *reading) newRows() *extsort.Sorter { return extsort.New(r.budget, &r.memory, r.temp) }

// each calls a function for each of some exports, a few at a time, and has them share the
// memory.
func (r *reading) each(ctx context.Context, exports []*export, do func(context.Context, *export) error) error {
	if len(exports) == 0 {
		return ctx.Err()
	}
	workers := min(runtime.GOMAXPROCS(0), len(exports))
	r.budget = r.o.Memory / int64(4*workers)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, e := range exports {
		group.Go(func() error {
			r.busy.Add(1)
			defer r.busy.Add(-1)
			return do(ctx, e)
		})
	}
	return group.Wait()
}

// isIdle reports whether there are fewer exports to read than processors.
func (r *reading) isIdle() bool { return int(r.busy.Load()) < runtime.GOMAXPROCS(0) }

// saw counts rows that were read, so many of an export by now.
func (r *reading) saw(rows int) {
	const some = 1 << 14
	if rows%some == 0 {
		r.meter.Add(some)
	}
}

// roomFor returns how much of so many bytes may be reserved: a quarter is for exports while
// they are read, the rest for what is kept of them afterwards.
func roomFor(bytes int64) int64 { return bytes - bytes/4 }
