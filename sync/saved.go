package sync

import (
	"cmp"
	"context"
	"errors"
	"time"

	"gleapsync/internal/extsort"
	"gleapsync/internal/inputs"
	"gleapsync/internal/job"
	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
	"gleapsync/internal/savedplan"
	"gleapsync/state"
)

// Save is [Runner.Changes], and writes the plan to a new file at path before: [Runner.CarryOut] sends
// what is shown. Event exports are left to the next sync. yield may be nil.
func (r *Runner) Save(ctx context.Context, request inputs.Request, path string, yield func(*PlannedContact) error) (runs.Report, error) {
	if request.Full && len(request.Only) > 0 {
		return runs.Report{}, errors.New("--full with --only cannot be saved, since nobody could tell later what of it is left: save it without one of them")
	}
	if err := savedplan.CheckNew(path); err != nil {
		return runs.Report{}, err
	}
	last, err := runs.Summaries(r.store, 1) // before the plan: a run that ends meanwhile comes after it
	if err != nil {
		return runs.Report{}, err
	}
	mark := r.store.Mark()
	saves := *r
	saves.o.Tracks = nil // event exports are left to the next sync
	return saves.show(ctx, request, func(p *plan, report *runs.Report) error {
		report.Plan = report.Run
		saved := savedplan.Plan{
			ID: report.Plan, Project: p.o.Project, Made: p.At, State: mark, Epoch: p.Overview.Epoch, Resynced: p.Overview.Resynced,
			Gleap: p.o.Gleap, BooleanAs: p.o.BooleanAs.String(), Events: r.pushOptions().Events, Job: p.job(), Report: *report, Contacts: p.contacts.Planned,
		}
		for _, summary := range last {
			saved.LastRun = summary.Run
		}
		saved.Parked = p.stayParked(p.Parked)
		for _, n := range p.fields {
			saved.Fields = saved.Fields || n > 0
		}
		said := func() *extsort.Chain {
			all := &extsort.Chain{}
			for _, s := range p.said {
				all.Parts = append(all.Parts, s.Rows(0, s.Position()))
			}
			return all
		}
		counted := said()
		for _, _, ok := counted.Next(); ok; _, _, ok = counted.Next() {
			saved.Said++
		}
		if err := counted.Err(); err != nil {
			return err
		}
		if err := savedplan.Write(path, &saved, p.file.Sorted(), said()); err != nil || yield == nil {
			return err
		}
		return showEntries(ctx, p.file.Read(p.turns), saved.Job.Keys, yield)
	})
}

// stayParked returns those parked contacts of whom something is wanted.
func (f *findings) stayParked(all []state.Parked) []string {
	unpark := map[string]bool{}
	for _, id := range f.unpark {
		unpark[id] = true
	}
	var stay []string
	for _, parked := range all {
		if !unpark[parked.UserID] {
			stay = append(stay, parked.UserID)
		}
	}
	return stay
}

// ShowSaved calls yield with the contacts of a plan that was saved, as [Runner.Changes] does, and
// returns its report. It needs no state.
func ShowSaved(ctx context.Context, f *savedplan.File, tempDir string, yield func(*PlannedContact) error) (runs.Report, error) {
	var file planfile.File
	defer file.Close()
	part := file.Add(f.Job.Before, extsort.TempIn(tempDir))
	if err := f.Each(part.Write, nil); err != nil {
		return runs.Report{}, err
	}
	return f.Report, showEntries(ctx, file.Read(f.Job.Before), f.Job.Keys, yield)
}

// RequestOf returns what a plan was asked for that was saved, as far as it matters for its run.
func RequestOf(f *savedplan.File) inputs.Request {
	return inputs.Request{Full: f.Job.Epoch > f.Epoch, Only: f.Report.Only}
}

// CarryOut is [Runner.Sync] with a plan that was saved: it reads no export. What an earlier run of the
// plan told is left out, and who was forgotten since. The error is a [*savedplan.RefusedError] if the
// plan is complete, or if the state has changed in what it is about; then nothing was sent.
func (r *Runner) CarryOut(ctx context.Context, f *savedplan.File) (runs.Report, error) {
	return r.run(ctx, "sync", func(ctx context.Context, run string) (runs.Report, *work, error) { return r.takeUp(ctx, run, f) }, r.push)
}

// takeUp finds out what is left of a plan that was saved.
func (r *Runner) takeUp(ctx context.Context, run string, f *savedplan.File) (runs.Report, *work, error) {
	begun := time.Now()
	r.meter.Phase("reading", 0)
	report := runs.Report{
		Run: run, Command: "sync", Plan: f.ID, Project: f.Project, Mode: f.Report.Mode, Only: f.Report.Only, Started: r.now(), Exports: []runs.ExportReport{},
	}
	w := &work{job: job.Job{Before: f.Job.Before}, names: &f.Events, made: f.Made, close: func() {}}
	var err error
	if w.basis, err = r.recall(r.now(), inputs.Request{Only: report.Only}); err == nil {
		err = r.check(f, &w.Overview)
	}
	var l *savedplan.Left
	if err == nil {
		l, err = f.Left(ctx, w.contactsNow(r.store), r.temp)
		w.close = l.Close
	}
	report.PlanSeconds = secondsSince(begun)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return report, w, err
	}
	w.job, w.file, w.said = l.Job, &l.File, []*extsort.Spool{&l.Said}
	report.Exports, report.LeftOut, report.Notes = f.Report.Exports, f.Report.LeftOut, f.Report.Notes
	w.tell(&report, l)
	r.log.Info("a saved plan goes on", "plan", f.ID, "contacts", report.Contacts.Planned, "calls", report.Calls.All(), "events", report.Events.Planned, "estimate_seconds", report.Estimate)
	return report, w, nil
}

// check returns why a plan that was saved does not fit the state, nil if it does.
func (r *Runner) check(f *savedplan.File, o *state.Overview) error {
	var concerned error
	for other, err := range runs.Stored(r.store) {
		if err == nil {
			err = f.Completed(&other)
		}
		if err != nil {
			return err
		}
		if other.Run <= f.LastRun {
			break
		}
		concerned = cmp.Or(f.Concerned(&other), concerned)
	}
	now := savedplan.Settings{Project: r.o.Project, Gleap: r.o.Gleap, BooleanAs: r.o.BooleanAs.String()}
	return cmp.Or(f.Check(now, o, r.store.Mark()), concerned)
}

// contactsNow returns what the state says of contacts.
func (b *basis) contactsNow(store *state.Store) savedplan.Now {
	return savedplan.Now{
		Store: store, Forgotten: b.forgotten.Has,
		Unanswered: func(userID []byte) []state.Change {
			if i, is := b.FindUnanswered(userID); is {
				return b.Unanswered[i].Attributes
			}
			return nil
		},
		Parked: func(userID string) *state.Parked {
			if i, is := b.FindParked(userID); is {
				return &b.Parked[i]
			}
			return nil
		},
	}
}

// tell has a report say what is left.
func (w *work) tell(report *runs.Report, l *savedplan.Left) {
	report.Contacts = l.Contacts
	report.Events = runs.EventCounts{Planned: l.News + w.Overview.DueEvents, Parked: w.Overview.ParkedEvents}
	report.Calls = runs.CallCounts{Identify: l.Calls, Track: w.o.trackCalls(report.Events.Planned)}
	report.Estimate = w.o.estimate(report.Calls.All())
	for class, planned := range w.file.Counts() {
		report.Classes = append(report.Classes, runs.ClassReport{Class: runs.Class(class), Planned: planned.Contacts})
	}
	leftSince(report, w.job.Before)
	if n := w.Overview.Deletions; n > 0 {
		report.Deletions = &runs.Deletions{Owed: n}
	}
}
