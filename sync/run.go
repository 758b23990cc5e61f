package sync

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// find finds out what a run has to carry out, and what its report says so far. The caller closes
// the work, also after an error.
type find func(ctx context.Context, run string) (runs.Report, *work, error)

// deliver carries work out. It returns what was sent, nil if nothing was to be.
type deliver func(context.Context, *work, *runs.Report) (*push.Result, error)

// run finds out what is to be done, has it delivered, and keeps the books.
func (c *carrier) run(ctx context.Context, command string, find find, deliver deliver) (runs.Report, error) {
	begun, over, err := c.begin(command)
	if err != nil {
		return runs.Report{}, err
	}
	defer over()
	extsort.RemoveLeftovers(c.o.TempDir)
	if c.o.Deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.o.Deadline, errDeadline)
		defer cancel()
	}
	var before gleap.Counts
	if c.client != nil {
		before = c.client.Counts()
	}
	report, w, err := find(ctx, begun.Run)
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
		planned, end := time.Now(), c.meter.Span("push", "")
		if err = c.deleteOwed(ctx, w.Overview, &report); err == nil {
			sent, err = c.deliver(ctx, w, &report, deliver)
		}
		end(report.Contacts.Planned)
		report.PushSeconds = secondsSince(planned)
	}
	c.shipDeliveries(ctx)
	if c.client != nil {
		counts := c.client.Counts()
		report.Calls.Retried = counts.Retried - before.Retried
		report.Calls.RateLimited = counts.RateLimited - before.RateLimited
	}
	report.Spans = c.meter.TakeSpans()
	report, err = c.finish(ctx, w, sent, report, err)
	if errors.Is(err, state.ErrTakenAway) || errors.Is(err, state.ErrDamaged) {
		return report, err
	}
	if eraseErr := erase(c.store); eraseErr != nil {
		err = errors.Join(err, eraseErr)
	}
	return report, err
}

// errResyncing is why a baseline has to wait.
var errResyncing = errors.New("a full resync is not complete: a baseline would end it with contacts that were not sent again, so run sync first")

// deliver prepares the state for a plan's acknowledgements and has it delivered.
func (c *carrier) deliver(ctx context.Context, w *work, report *runs.Report, deliver deliver) (*push.Result, error) {
	if report.Command == "baseline" && w.Epoch > 1 && w.Resyncing() {
		return nil, errResyncing
	}
	if report.Contacts.Planned > 0 || len(w.job.Applied(c.now(), nil)) > 0 || w.job.Epoch > w.Overview.Epoch || w.Alone || w.absorbs() || w.tracks != nil && w.tracks.HasNew() || report.Events.Planned > 0 {
		var pace []byte
		if sends(c.client, report) {
			if err := c.resume(w.Overview.Pace); err != nil {
				return nil, err
			}
			pace = push.Pace(c.client, true)
		}
		if err := c.ledger.Begin(w.job.Begin(), w.job.Epoch, pace); err != nil {
			return nil, err
		}
		if c.o.Gleap != w.Overview.Gleap { // behind the epoch, without which another Gleap would not be told everything
			if err := c.ledger.SetTold([]byte(c.o.Gleap), nil); err != nil {
				return nil, err
			}
		}
		if report.Contacts.Planned > 0 && !w.Request.Assume {
			store := func(booleans []byte) error { return c.ledger.SetTold(nil, booleans) }
			if err := forms.Told(w.Overview, w.job.Epoch, c.o.BooleanAs, store); err != nil {
				return nil, err
			}
		}
	}
	if err := absorb(ctx, w.said, c.ledger.AbsorbChanges); err != nil {
		return nil, err
	}
	if w.tracks != nil {
		if err := w.tracks.Store(ctx, c.ledger, w.Request.Assume); err != nil {
			return nil, err
		}
	}
	if report.Contacts.Planned == 0 && report.Events.Planned == 0 {
		return nil, nil
	}
	c.meter.Phase("sending", report.Contacts.Planned)
	if waits, ok := c.client.(interface{ Wait() time.Duration }); ok && report.Command != "baseline" {
		if wait := waits.Wait().Round(time.Second); wait > 0 {
			c.log.Info("the first call waits: what ran before used the rate limit up", "seconds", wait.Seconds())
		}
	}
	return deliver(ctx, w, report)
}

// finish judges the run and stores its report.
func (c *carrier) finish(ctx context.Context, w *work, sent *push.Result, report runs.Report, err error) (runs.Report, error) {
	report.Finished = c.now()
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
		applied, resynced, files = w.job.Applied(report.Finished, nil), w.job.Epoch, w.filesAfter()
		fields = w.job.FieldsAfter(w.Overview.Fields, nil)
		if w.job.TakesTurns {
			turns = &state.Turns{}
		}
	case sent != nil:
		applied, fields = w.job.Applied(report.Finished, sent), w.job.FieldsAfter(w.Overview.Fields, sent)
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
	if w.job.Resend && report.Contacts.Remaining > 0 {
		report.Error = strings.TrimSpace(report.Error + " --full with --only is not gone on with by itself: run it again for the rest")
	}
	if errors.Is(err, state.ErrDamaged) || errors.Is(err, state.ErrTakenAway) {
		return report, err // there is nothing to write to
	}
	trimErr := w.trimLists(c.store, applied)
	leftSince(&report, *cmp.Or(turns, &w.job.Before))
	var convergenceErr error
	report.Convergence, convergenceErr = convergence(c.store, w.job.Costliest, &report)
	overview, overviewErr := c.store.Overview()
	if overviewErr == nil {
		report.Contacts.Parked = max(0, overview.Parked-len(w.job.Unpark))
		report.Events.Parked = overview.ParkedEvents
	}
	text, jsonErr := json.Marshal(report)
	history, historyErr := runs.HistoryWith(c.store, overview, report)
	storeErr := errors.Join(trimErr, convergenceErr, overviewErr, jsonErr, historyErr)
	if storeErr == nil {
		var pace []byte
		if sends(c.client, &report) {
			pace = push.Pace(c.client, false)
		}
		storeErr = c.ledger.Finish(state.Result{
			Run: report.Run, Report: text, Applied: applied, Resynced: resynced, Unpark: w.job.Unpark, Pace: pace, Files: files,
			History: history, Turns: turns, Fields: fields, ListEnds: w.ends,
		})
	}
	report.Recorded = storeErr == nil
	if storeErr == nil {
		inputs.RemoveLists(c.store, c.o.Exports, c.log)
	}
	if storeErr != nil {
		report.Outcome = runs.Failed
		err = errors.Join(err, fmt.Errorf("store the run's report: %w", storeErr))
	}
	return report, err
}
