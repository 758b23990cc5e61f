package sync

import (
	"context"
	"log/slog"
	"slices"

	"gleapsync/internal/extsort"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Runner makes plans and carries them out. It may be used again, but not by several
// goroutines at a time.
type Runner struct{ carrier }

// New returns a runner. watch is told how a run goes on, a few times a second at most;
// it may be nil. The client may be nil as long as nothing is to be sent.
func New(o Options, store *state.Store, client client, log *slog.Logger, watch func(runs.Progress)) *Runner {
	columns := inputs.Columns(o.Fields)
	o.Exports = slices.Clone(o.Exports)
	for i := range o.Exports {
		if !o.Exports[i].NoFields {
			o.Exports[i].Fields = columns
		}
	}
	return &Runner{carrier{planner: planner{o, store, extsort.TempIn(o.TempDir), log, runs.NewMeter(watch), now}, ledger: store, client: client}}
}

// Plan says what Sync would do, and changes nothing. It can run beside a sync.
func (r *Runner) Plan(ctx context.Context, request inputs.Request) (runs.Report, error) {
	report, p, err := r.prepare(ctx, runs.NewID(""), "plan", request)
	p.close()
	if err != nil {
		return runs.Report{}, err
	}
	report.Finished = r.now()
	return report, nil
}

// Sync sends what changed. The report is right whatever the error; it is empty if
// another run holds the lock.
//
// The error is a [*state.LockedError] while another run holds the lock,
// [ErrInterrupted] after ctx was cancelled with it, and one of package gleap's if
// Gleap ended the run.
func (r *Runner) Sync(ctx context.Context, request inputs.Request) (runs.Report, error) {
	return r.run(ctx, "sync", r.planned("sync", request), r.push)
}

// planned finds out what a run has to carry out by making a plan.
func (r *Runner) planned(command string, request inputs.Request) find {
	request.Lists = true
	return func(ctx context.Context, run string) (runs.Report, *work, error) {
		report, p, err := r.prepare(ctx, run, command, request)
		return report, p.work(err != nil), err
	}
}
