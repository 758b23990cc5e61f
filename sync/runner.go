package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"gleapsync/gleap"
	"gleapsync/state"
)

// identifier sends Identify Contact calls: a [*gleap.Client].
type identifier interface {
	Identify(ctx context.Context, contact *gleap.Contact) error
	Counts() gleap.Counts
}

// Runner makes plans and carries them out. It may be used again, but not by several
// goroutines at a time.
type Runner struct {
	o        Options
	store    *state.Store
	client   identifier
	log      *slog.Logger
	progress *progress
}

// New returns a runner. watch is told how a run goes on, a few times a second at most;
// it may be nil. The client may be nil as long as nothing is to be sent.
func New(o Options, store *state.Store, client identifier, log *slog.Logger, watch func(Progress)) *Runner {
	columns := columns(o.Fields)
	o.Exports = slices.Clone(o.Exports)
	for i := range o.Exports {
		o.Exports[i].Fields = columns
	}
	return &Runner{o: o, store: store, client: client, log: log, progress: &progress{watch: watch}}
}

// Request says what is wanted of one run.
type Request struct {
	Full     bool             // send all values of all contacts again
	Only     []string         // the keys of the attributes to look at, nil: all
	MaxExits map[string]Limit // by key: limits for this run
}

// ErrInterrupted is the cause to cancel a run's context with when a signal came.
var ErrInterrupted = errors.New("interrupted")

// errDeadline is the cause with which a run's context ends at its deadline.
var errDeadline = errors.New("the deadline came before the plan was complete: nothing was sent, raise sync.deadline")

// Plan says what Sync would do, and changes nothing. It can run beside a sync.
func (r *Runner) Plan(ctx context.Context, request Request) (Report, error) {
	report, p, err := r.prepare(ctx, "plan", request)
	p.close()
	if err != nil {
		return Report{}, planError(ctx, err)
	}
	report.Finished = now()
	return report, nil
}

// Sync sends what changed. The report is right whatever the error; it is empty if
// the run could not begin.
//
// The error is a [*state.LockedError] while another run holds the lock,
// [ErrInterrupted] after ctx was cancelled with it, and one of package gleap's if
// Gleap ended the run.
func (r *Runner) Sync(ctx context.Context, request Request) (Report, error) {
	return r.run(ctx, "sync", request, r.push)
}

// Baseline takes what Sync would send as delivered, and sends nothing: for projects
// that something else has filled before.
func (r *Runner) Baseline(ctx context.Context, request Request) (Report, error) {
	return r.run(ctx, "baseline", request, r.assume)
}

// prepare makes a plan and the report that goes with it.
func (r *Runner) prepare(ctx context.Context, command string, request Request) (Report, *plan, error) {
	started := now()
	r.progress.phase("reading", 0)
	p, err := r.newPlan(ctx, request)
	if err != nil {
		return Report{}, p, err
	}
	report := p.report()
	report.Run, report.Command, report.Started = newRunID(started), command, started
	for _, e := range report.Exports {
		for _, problem := range e.Problems {
			r.log.Debug("a row was passed over", "key", e.Key, "file", problem.File, "line", problem.Line, "reason", problem.Reason)
		}
		if e.Status == StatusHeld {
			r.log.Warn("an export is held", "key", e.Key, "source", e.Source, "reason", e.Reason)
		}
	}
	r.log.Info("planned", "contacts", report.Contacts.Planned, "delta", report.Contacts.Delta,
		"backfill", report.Contacts.Backfill, "calls", report.Calls.Identify, "estimate_seconds", report.Estimate)
	return report, p, nil
}

// planError says why there is no plan: a stop is not a fault of the exports.
func planError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// run makes a plan, has it delivered, and keeps the books.
func (r *Runner) run(ctx context.Context, command string, request Request, deliver func(context.Context, *plan, *Report) error) (Report, error) {
	release, err := r.store.Lock()
	if err != nil {
		return Report{}, err
	}
	defer release()
	if r.o.Deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.o.Deadline, errDeadline)
		defer cancel()
	}
	report, p, err := r.prepare(ctx, command, request)
	defer p.close()
	if err != nil {
		return Report{}, planError(ctx, err)
	}
	report.Calls.Identify = 0
	if p.contacts.Planned > 0 || len(p.applied(now())) > 0 || p.epoch > p.overview.Epoch {
		if err := r.store.Begin(p.stateAttributes(), p.epoch); err != nil {
			return Report{}, err
		}
	}
	report.Contacts.Remaining = report.Contacts.Planned
	if p.contacts.Planned > 0 {
		r.progress.phase("sending", p.contacts.Planned)
		err = deliver(ctx, p, &report)
	}
	return r.finish(ctx, p, report, err)
}

// finish judges the run and stores its report.
func (r *Runner) finish(ctx context.Context, p *plan, report Report, err error) (Report, error) {
	if r.client != nil {
		counts := r.client.Counts()
		report.Calls.Retried, report.Calls.RateLimited = counts.Retried, counts.RateLimited
	}
	report.Finished = now()
	var applied map[uint32]state.Applied
	var resynced uint64
	switch {
	case err == nil && report.Contacts.Remaining == 0:
		applied = p.applied(report.Finished)
		resynced = p.epoch
		report.Outcome = Complete
		if report.Held() {
			report.Outcome = Held
		}
	case errors.Is(err, context.Canceled) && errors.Is(context.Cause(ctx), ErrInterrupted):
		report.Outcome, err = Interrupted, ErrInterrupted
	case errors.Is(err, context.DeadlineExceeded) && errors.Is(context.Cause(ctx), errDeadline):
		report.Outcome, err = Partial, nil
	case err != nil:
		report.Outcome, report.Error = Failed, err.Error()
	}
	overview, overviewErr := r.store.Overview()
	if overviewErr == nil {
		report.Contacts.Parked = overview.Parked
	}
	text, jsonErr := json.Marshal(report)
	err = errors.Join(err, overviewErr, jsonErr)
	if storeErr := r.store.Finish(report.Run, text, applied, resynced); storeErr != nil {
		report.Outcome = Failed
		err = errors.Join(err, fmt.Errorf("store the run's report: %w", storeErr))
	}
	return report, err
}

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// newRunID returns an id that sorts by time and differs from all others.
func newRunID(t time.Time) string {
	return fmt.Sprintf("%s-%04x", t.Format("20060102T150405.000Z"), rand.N(1<<16))
}
