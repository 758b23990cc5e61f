package sync

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"gleapsync/gleap"
	"gleapsync/internal/extsort"
	"gleapsync/internal/forms"
	"gleapsync/internal/inputs"
	"gleapsync/internal/push"
	"gleapsync/internal/runs"
	"gleapsync/internal/savedplan"
	"gleapsync/state"
)

// client calls Gleap: a [*gleap.Client].
type client interface {
	Identify(ctx context.Context, contact *gleap.Contact) error
	Track(ctx context.Context, events [][]byte) error
	Delete(ctx context.Context, userID string) (deleted bool, err error)
	Counts() gleap.Counts
	Seen() gleap.History
	Resume(gleap.History)
}

// ledger is what a run writes to: a [*state.Store].
type ledger interface {
	Begin(attributes []state.Attribute, epoch uint64, pace []byte) error
	SetTold(gleap, booleans []byte) error
	Commit(state.Delivery) (due []state.Event, err error)
	CheckLock() error
	AbsorbChanges([]state.Absorbed) error
	AbsorbEvents(state.NewEvents) error
	Finish(state.Result) error
}

// Runner makes plans and carries them out. It may be used again, but not by several
// goroutines at a time.
type Runner struct {
	planner
	ledger  ledger // the store
	client  client
	now     func() time.Time
	resumed bool // the client knows what Gleap has seen of earlier runs
}

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
	return &Runner{planner: planner{o, store, extsort.TempIn(o.TempDir), log, runs.NewMeter(watch)}, ledger: store, client: client, now: now}
}

// ErrInterrupted is the cause to cancel a run's context with when a signal came.
var ErrInterrupted = errors.New("interrupted")

// errDeadline is the cause with which a run's context ends at its deadline.
var errDeadline = errors.New("the deadline came before the plan was complete: nothing was sent, raise sync.deadline")

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

// prepare makes a plan and the report that goes with it.
func (r *Runner) prepare(ctx context.Context, run, command string, request inputs.Request) (runs.Report, *plan, error) {
	started, begun := r.now(), time.Now()
	r.meter.Phase("reading", 0)
	p, err := r.plan(ctx, r.now(), request)
	report := p.report()
	report.Run, report.Command, report.Started, report.Only = run, command, started, request.Only
	report.PlanSeconds = secondsSince(begun)
	if err != nil {
		if ctx.Err() != nil { // a stop is not a fault of the exports
			err = context.Cause(ctx)
		}
		report = runs.Report{
			Run: report.Run, Command: command, Project: report.Project, Mode: report.Mode, Only: report.Only, Started: started, Exports: slices.DeleteFunc(report.Exports, func(e runs.ExportReport) bool { return e.Status != runs.StatusHeld }),
			PlanSeconds: report.PlanSeconds,
		}
		p.unpark = nil
		return report, p, err
	}
	for _, e := range report.Exports {
		for _, problem := range e.Problems {
			r.log.Debug("a row was passed over", "key", e.Key, "file", problem.File, "line", problem.Line, "reason", problem.Reason)
		}
	}
	r.warn(report)
	if command == "plan" {
		if report.Convergence, err = convergence(r.store, costliest(p), &report); err != nil {
			return report, p, err
		}
	}
	level := slog.LevelInfo
	if report.Calls.All() == 0 {
		level = slog.LevelDebug // cron mails each line
	}
	r.log.Log(ctx, level, "planned", "contacts", report.Contacts.Planned, "delta", report.Contacts.Delta,
		"backfill", report.Contacts.Backfill, "calls", report.Calls.All(), "events", report.Events.Planned, "estimate_seconds", report.Estimate)
	return report, p, nil
}

// warn logs what somebody should look at.
func (r *Runner) warn(report runs.Report) {
	if r.o.Shown {
		return
	}
	for _, c := range runs.Causes(report.Exports) {
		what := "an export is held"
		if c.Withheld {
			what = "exits are withheld"
		}
		r.log.Warn(what, "key", c.Keys(), "source", c.Source, "reason", c.Reason)
	}
	for _, note := range report.Notes {
		r.log.Warn("something to know", "note", note)
	}
}

// find finds out what a run has to carry out, and what its report says so far. The caller closes
// the work, also after an error.
type find func(ctx context.Context, run string) (runs.Report, *work, error)

// planned finds it out by making a plan.
func (r *Runner) planned(command string, request inputs.Request) find {
	request.Lists = true
	return func(ctx context.Context, run string) (runs.Report, *work, error) {
		report, p, err := r.prepare(ctx, run, command, request)
		return report, p.work(err != nil), err
	}
}

// deliver carries work out. It returns what was sent, nil if nothing was to be.
type deliver func(context.Context, *work, *runs.Report) (*push.Result, error)

// run finds out what is to be done, has it delivered, and keeps the books.
func (r *Runner) run(ctx context.Context, command string, find find, deliver deliver) (runs.Report, error) {
	release, err := r.store.Lock()
	if err != nil {
		return runs.Report{}, err
	}
	defer release()
	r.resumed = false
	r.reportLost()
	run := runs.NextID(r.store)
	defer announce(r.store, r.meter, run, command, r.now())()
	extsort.RemoveLeftovers(r.o.TempDir)
	if r.o.Deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.o.Deadline, errDeadline)
		defer cancel()
	}
	var before gleap.Counts
	if r.client != nil {
		before = r.client.Counts()
	}
	report, w, err := find(ctx, run)
	defer w.close()
	if errors.As(err, new(*savedplan.RefusedError)) { // nothing happened
		return runs.Report{}, err
	}
	var sent *push.Result
	if err == nil {
		report.Calls.Identify, report.Calls.Track = 0, 0
		report.Contacts.Remaining, report.Events.Remaining = report.Contacts.Planned, report.Events.Planned
		for i := range report.Classes {
			report.Classes[i].Left = report.Classes[i].Planned
		}
		planned, end := time.Now(), r.meter.Span("push", "")
		if err = r.deleteOwed(ctx, w.Overview, &report); err == nil {
			sent, err = r.deliver(ctx, w, &report, deliver)
		}
		end(report.Contacts.Planned)
		report.PushSeconds = secondsSince(planned)
	}
	r.shipDeliveries(ctx)
	if r.client != nil {
		counts := r.client.Counts()
		report.Calls.Retried = counts.Retried - before.Retried
		report.Calls.RateLimited = counts.RateLimited - before.RateLimited
	}
	report.Spans = r.meter.TakeSpans()
	report, err = r.finish(ctx, w, sent, report, err)
	if errors.Is(err, state.ErrTakenAway) || errors.Is(err, state.ErrDamaged) {
		return report, err
	}
	if eraseErr := erase(r.store); eraseErr != nil {
		err = errors.Join(err, eraseErr)
	}
	return report, err
}

// deliver prepares the state for a plan's acknowledgements and has it delivered.
func (r *Runner) deliver(ctx context.Context, w *work, report *runs.Report, deliver deliver) (*push.Result, error) {
	if report.Command == "baseline" && w.basis.Epoch > 1 && w.Resyncing() {
		return nil, errResyncing
	}
	if report.Contacts.Planned > 0 || len(w.Applied(r.now(), nil)) > 0 || w.Epoch > w.Overview.Epoch || w.Alone || w.absorbs() || w.tracks != nil && w.tracks.HasNew() || report.Events.Planned > 0 {
		var pace []byte
		if sends(r.client, report) {
			if err := r.resume(w.Overview.Pace); err != nil {
				return nil, err
			}
			pace = push.Pace(r.client, true)
		}
		if err := r.ledger.Begin(w.Begin(), w.Epoch, pace); err != nil {
			return nil, err
		}
		if r.o.Gleap != w.Overview.Gleap { // behind the epoch, without which another Gleap would not be told everything
			if err := r.ledger.SetTold([]byte(r.o.Gleap), nil); err != nil {
				return nil, err
			}
		}
		if report.Contacts.Planned > 0 && !w.Request.Assume {
			store := func(booleans []byte) error { return r.ledger.SetTold(nil, booleans) }
			if err := forms.Told(w.Overview, w.Epoch, r.o.BooleanAs, store); err != nil {
				return nil, err
			}
		}
	}
	if err := absorb(ctx, w.said, r.ledger.AbsorbChanges); err != nil {
		return nil, err
	}
	if w.tracks != nil {
		if err := w.tracks.Store(ctx, r.ledger, w.Request.Assume); err != nil {
			return nil, err
		}
	}
	if report.Contacts.Planned == 0 && report.Events.Planned == 0 {
		return nil, nil
	}
	r.meter.Phase("sending", report.Contacts.Planned)
	if c, ok := r.client.(interface{ Wait() time.Duration }); ok && report.Command != "baseline" {
		if wait := c.Wait().Round(time.Second); wait > 0 {
			r.log.Info("the first call waits: what ran before used the rate limit up", "seconds", wait.Seconds())
		}
	}
	return deliver(ctx, w, report)
}

// finish judges the run and stores its report.
func (r *Runner) finish(ctx context.Context, w *work, sent *push.Result, report runs.Report, err error) (runs.Report, error) {
	report.Finished = r.now()
	var applied map[uint32]state.Applied
	var resynced uint64
	var files []state.DoneFile
	var turns *state.Turns
	if sent != nil {
		turns = sent.Turns
	}
	var fields []byte
	switch {
	case err == nil || sent != nil && sent.Delivered: // what may be left are events
		applied, resynced, files = w.Applied(report.Finished, nil), w.Epoch, w.filesAfter()
		fields = w.FieldsAfter(w.Overview.Fields, nil)
		if w.TakesTurns {
			turns = &state.Turns{}
		}
	case sent != nil:
		applied, fields = w.Applied(report.Finished, sent), w.FieldsAfter(w.Overview.Fields, sent)
	}
	cause := context.Cause(ctx)
	if errors.As(cause, new(*state.LockedError)) && errors.Is(err, context.Canceled) { // another machine took over
		err = cause
	}
	switch {
	case err == nil:
		report.Outcome = runs.Complete
		if report.Held() {
			report.Outcome = runs.Held
		}
	case errors.Is(err, ErrInterrupted) || errors.Is(err, context.Canceled) && errors.Is(cause, ErrInterrupted):
		report.Outcome, err = runs.Interrupted, ErrInterrupted
	case errors.Is(err, errDeadline) || errors.Is(err, context.DeadlineExceeded) && errors.Is(cause, errDeadline):
		report.Outcome, report.Error = runs.Partial, ""
		if errors.Is(err, errDeadline) {
			report.Error = errDeadline.Error()
		}
		err = nil
	default:
		report.Outcome, report.Error = runs.Failed, err.Error()
	}
	if w.Resend && report.Contacts.Remaining > 0 {
		report.Error = strings.TrimSpace(report.Error + " --full with --only is not gone on with by itself: run it again for the rest")
	}
	if errors.Is(err, state.ErrDamaged) || errors.Is(err, state.ErrTakenAway) {
		return report, err // there is nothing to write to
	}
	trimErr := w.trimLists(r.store, applied)
	leftSince(&report, *cmp.Or(turns, &w.Before))
	var convergenceErr error
	report.Convergence, convergenceErr = convergence(r.store, w.Costliest, &report)
	overview, overviewErr := r.store.Overview()
	if overviewErr == nil {
		report.Contacts.Parked = max(0, overview.Parked-len(w.Unpark))
		report.Events.Parked = overview.ParkedEvents
	}
	text, jsonErr := json.Marshal(report)
	history, historyErr := runs.HistoryWith(r.store, overview, report)
	storeErr := errors.Join(trimErr, convergenceErr, overviewErr, jsonErr, historyErr)
	if storeErr == nil {
		var pace []byte
		if sends(r.client, &report) {
			pace = push.Pace(r.client, false)
		}
		storeErr = r.ledger.Finish(state.Result{
			Run: report.Run, Report: text, Applied: applied, Resynced: resynced, Unpark: w.Unpark, Pace: pace, Files: files,
			History: history, Turns: turns, Fields: fields, ListEnds: w.ends,
		})
	}
	report.Recorded = storeErr == nil
	if storeErr == nil {
		inputs.RemoveLists(r.store, r.o.Exports, r.log)
	}
	if storeErr != nil {
		report.Outcome = runs.Failed
		err = errors.Join(err, fmt.Errorf("store the run's report: %w", storeErr))
	}
	return report, err
}

func secondsSince(t time.Time) float64 { return time.Since(t).Round(time.Millisecond).Seconds() }

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
