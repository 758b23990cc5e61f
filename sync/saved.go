package sync

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"gleapsync/internal/extsort"
	"gleapsync/internal/job"
	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
	"gleapsync/internal/savedplan"
	"gleapsync/state"
)

// Save is [Runner.Changes], and writes the plan to a new file at path before: [Runner.CarryOut] sends
// what is shown. Event exports are left to the next sync. yield may be nil.
func (r *Runner) Save(ctx context.Context, request Request, path string, yield func(*PlannedContact) error) (runs.Report, error) {
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
	request.saved = true
	return r.show(ctx, request, func(p *plan, report *runs.Report) error {
		report.Plan = report.Run
		saved := savedplan.Plan{
			ID: report.Plan, Project: p.o.Project, Made: p.at, State: mark, Epoch: p.overview.Epoch, Resynced: p.overview.Resynced,
			Gleap: p.o.Gleap, BooleanAs: p.o.BooleanAs.String(), Events: r.pushOptions().Events, Job: p.job(), Report: *report, Contacts: p.contacts.Planned,
		}
		for _, summary := range last {
			saved.LastRun = summary.Run
		}
		saved.Parked = p.stayParked()
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

// stayParked returns the parked contacts of whom something is wanted.
func (p *plan) stayParked() []string {
	unpark := map[string]bool{}
	for _, id := range p.unpark {
		unpark[id] = true
	}
	var stay []string
	for _, parked := range p.parked {
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
func RequestOf(f *savedplan.File) Request {
	return Request{Full: f.Job.Epoch > f.Epoch, Only: f.Report.Only}
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
	said := &extsort.Spool{Create: r.temp}
	w := &work{Job: job.Job{Before: f.Job.Before}, file: &planfile.File{}, said: []*extsort.Spool{said}, names: &f.Events, made: f.Made}
	w.close = func() { w.file.Close(); said.Close() }
	var err error
	if w.basis, err = recall(r.o, r.store, r.now(), Request{Only: report.Only}); err == nil {
		err = r.check(f, &w.overview)
	}
	l := &left{told: make([]int, len(f.Job.Keys))}
	if err == nil {
		err = l.find(ctx, r.store, f, w, w.file.Add(f.Job.Before, r.temp))
	}
	report.PlanSeconds = secondsSince(begun)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return report, w, err
	}
	w.Job = l.job(&f.Job)
	report.Exports, report.LeftOut, report.Notes = f.Report.Exports, f.Report.LeftOut, f.Report.Notes
	l.tell(&report, w)
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
	return cmp.Or(f.Check(savedplan.Settings{Project: r.o.Project, Gleap: r.o.Gleap, BooleanAs: r.o.BooleanAs.String()}, o, r.store.Mark()), concerned)
}

// left is what is left of a plan.
type left struct {
	findings
	told []int // by attribute id: contacts that are to be told a value
}

// find puts what is left of a plan into the work: its contacts into part.
func (l *left) find(ctx context.Context, store *state.Store, f *savedplan.File, w *work, part *planfile.Part) error {
	unparked := map[string]bool{} // that were parked, and are not any more
	for _, id := range f.Parked {
		if !w.isParked(id) && !w.forgotten.Has([]byte(id)) {
			unparked[id] = true
		}
	}
	var batch []*planfile.Entry
	changed, size := 0, 0
	flush := func() error {
		n, err := l.take(store, batch, w, f.Job.Epoch, part)
		changed += n
		batch, size = batch[:0], 0
		return cmp.Or(err, ctx.Err())
	}
	err := f.Each(func(e *planfile.Entry) error {
		delete(unparked, string(e.UserID))
		if w.forgotten.Has(e.UserID) {
			l.contacts.Forgotten++
			return nil
		}
		kept := *e
		*e = planfile.Entry{} // its lists would be used again
		const most = 10_000
		if batch, size = append(batch, &kept), size+1+len(kept.Attributes); size < most {
			return nil
		}
		return flush()
	}, func(a state.Absorbed) error {
		if w.forgotten.Has(a.UserID) {
			return nil
		}
		return w.said[0].WriteRow(a.UserID, a.Said)
	})
	if err == nil {
		err = flush()
	}
	switch {
	case err != nil:
		return err
	case changed > 0:
		return savedplan.Refuse("contacts of it were told something else since (%d)", changed)
	case len(unparked) > 0:
		return savedplan.Refuse("contacts that were parked are to be tried again (%d)", len(unparked))
	}
	return nil
}

// take writes what is left of some entries, and returns how many contacts were told something else
// than the plan knows.
func (l *left) take(store *state.Store, entries []*planfile.Entry, w *work, epoch uint64, part *planfile.Part) (changed int, err error) {
	ids := make([][]byte, len(entries))
	for i, e := range entries {
		ids[i] = e.UserID
	}
	var failed error
	err = state.RecordsOf(store, ids, func(i int, record *state.Record) {
		e := entries[i]
		known := savedplan.Known{Record: record, FieldHash: store.FieldHash}
		if i, is := w.findUnanswered(e.UserID); is {
			known.Unanswered = w.unanswered[i].Attributes
		}
		if i, is := w.findParked(string(e.UserID)); is {
			known.Parked = &w.parked[i]
		}
		switch standing, told := savedplan.Stand(e, known, epoch); standing {
		case savedplan.Changed:
			changed++
		case savedplan.Left:
			e.CutTold(told)
			l.count(e)
			for _, c := range e.Attributes {
				l.told[c.ID]++
			}
			failed = cmp.Or(failed, part.Write(e))
		}
	})
	return changed, cmp.Or(err, failed)
}

// job returns what is left of a job.
func (l *left) job(whole *job.Job) job.Job {
	j := *whole
	j.Attributes, j.Fields = slices.Clone(j.Attributes), slices.Clone(j.Fields)
	for i := range j.Attributes {
		j.Attributes[i].Left = l.told[j.Attributes[i].ID]
	}
	for f := range j.Fields {
		j.Fields[f].Left = l.fields[f]
	}
	return j
}

// tell has a report say what is left.
func (l *left) tell(report *runs.Report, w *work) {
	report.Contacts = l.contacts
	report.Events = runs.EventCounts{Planned: l.news + w.overview.DueEvents, Parked: w.overview.ParkedEvents}
	report.Calls = runs.CallCounts{Identify: l.calls, Track: w.o.trackCalls(report.Events.Planned)}
	report.Estimate = w.o.estimate(report.Calls.All())
	for class, planned := range w.file.Counts() {
		report.Classes = append(report.Classes, runs.ClassReport{Class: runs.Class(class), Planned: planned.Contacts})
	}
	leftSince(report, w.Before)
	if n := w.overview.Deletions; n > 0 {
		report.Deletions = &runs.Deletions{Owed: n}
	}
}
