package sync

import (
	"slices"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/done"
	"gleapsync/internal/events"
	"gleapsync/internal/extsort"
	"gleapsync/internal/inputs"
	"gleapsync/internal/job"
	"gleapsync/internal/planfile"
	"gleapsync/internal/push"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// work is what a run carries out: a job with its calls. Where it comes from does not matter any
// more.
type work struct {
	*basis                // what the state says
	job    job.Job        // which may be that of a plan from before: its epoch, say, is its own
	in     *inputs.Inputs // nil: it is a plan that was saved, which leaves no lists of rows
	file   *planfile.File
	said   []*extsort.Spool
	tracks *events.Inputs  // nil: it is a plan that was saved, and event exports are no part of it
	made   time.Time       // when that was
	ends   map[string]bool // of the lists of known contacts, see [known.Lists.Ends]
	names  *push.Events    // of events that changes are told as, nil: those of the configuration
	close  func()
}

// work returns what a run has to carry out of a plan, nothing of one that failed.
func (p *plan) work(failed bool) *work {
	w := &work{basis: p.basis, in: p.in, file: &p.file, said: p.said, tracks: p.tracks, close: p.close}
	if w.job = (job.Job{Before: p.turns, Costliest: costliest(p)}); !failed {
		w.job, w.ends = p.job(), p.lists().Ends()
	}
	return w
}

// job returns what the plan leaves to do beside its calls.
func (p *plan) job() job.Job {
	j := job.Job{
		Epoch: p.Epoch, Whole: p.whole(), Resend: p.Resend, TakesTurns: p.takesTurns, Before: p.turns,
		Keys: p.keys(), Files: p.doneFiles(), Unpark: p.unpark, Costliest: costliest(p),
	}
	for _, a := range p.attributes {
		j.Attributes = append(j.Attributes, p.jobOf(a))
	}
	for f := range job.FieldCount {
		j.Fields = append(j.Fields, job.Field{
			Before: p.fieldsBefore[f], Delivers: p.hasField[f] && p.fieldsComplete && !p.fieldsPostponed, Left: p.fields[f],
		})
	}
	return j
}

// keys returns the attributes as calls name them, by id.
func (l *attributeList) keys() []job.Key {
	keys := make([]job.Key, len(l.byID))
	for id, ref := range l.byID {
		keys[id].Key = ref.key
		if a := ref.attribute; a != nil {
			keys[id].IsAudience, keys[id].Source = a.Kind == engage.Audience, a.Input.Origin()
		}
	}
	return keys
}

// jobOf returns what the job has of an attribute. An export of which something is left for another
// run has no fingerprint: it has to be read again.
func (p *plan) jobOf(a *attribute) job.Attribute {
	j := job.Attribute{ID: a.ID, Key: a.Key, Kind: string(a.Kind), Name: a.Name, Retired: a.Retired, Before: a.Applied, Left: a.left}
	if !a.Active() {
		// Of contacts that others have now it may say what they need.
		j.Rereads = p.fieldsPostponed && a.Applied.HasFields || a.Applied.Unlisted != "" && a.Applied.Unlisted != p.lists().Version()
		return j
	}
	j.Type, j.AsOf, j.Computation, j.HasFields = string(a.Decided), a.Input.AsOf, a.Computation, a.Input.Result.HasFields
	if a.withheld > 0 {
		cut := a.Applied
		cut.Fingerprint, cut.List, cut.AsOf = "", "", a.Input.AsOf
		cut.Parts, cut.IDParts = a.MostParts()
		cut.WithheldRuns++
		j.CutShort = &cut
	}
	if a.Retired {
		return j
	}
	applied := a.AppliedNow(a.absence == "")
	applied.Members, applied.Due = a.members+a.withheld, a.due
	if a.unlisted > 0 {
		applied.Unlisted = p.lists().Version()
	}
	if p.postponed || a.Input.Result.HasFields && p.fieldsPostponed || a.withheld > 0 {
		applied.Fingerprint = ""
	}
	if applied.Fingerprint == "" {
		applied.List = ""
	}
	if a.withheld > 0 || a.Input.Missing != "" && a.absence != "" { // what is missing may come yet
		applied.Parts, applied.IDParts = a.MostParts()
	}
	if a.withheld > 0 {
		applied.WithheldRuns = a.Applied.WithheldRuns + 1
	}
	j.Done = &applied
	return j
}

// doneFiles returns the files of change exports that are done once everything is delivered. Files
// are done if all that they say is acknowledged, or parked.
func (p *plan) doneFiles() []state.DoneFile {
	var files []state.DoneFile
	for _, e := range p.exports {
		files = append(files, e.FilesAfter(p.isDone(e))...)
	}
	return files
}

// isDone reports whether all that an export's files say counted.
func (p *plan) isDone(e *inputs.Input) bool {
	return e.Rows != nil && !e.IsRefused() && !(e.Result.HasFields && p.fieldsPostponed) &&
		!slices.ContainsFunc(e.Feeds, func(a *inputs.Attribute) bool { return !a.Active() || p.attribute(a.ID).withheld > 0 }) &&
		!slices.ContainsFunc(p.in.Unusable, func(r runs.ExportReport) bool { return r.Source == e.Origin() && r.Status == runs.StatusHeld })
}

// filesAfter returns the files that are done after a run that delivered everything, nil if they are
// those from before.
func (w *work) filesAfter() []state.DoneFile {
	if w.Alone {
		return nil
	}
	before := w.DoneFiles
	if w.tracks != nil {
		before = w.tracks.Files()
	}
	after := []state.DoneFile{}
	for _, f := range before {
		// Those of event exports are done whatever became of the run, and others that other runs
		// have done since a plan was saved.
		if events.IsFile(f) || w.tracks == nil && f.At.After(w.made) && !slices.ContainsFunc(w.job.Files, func(g state.DoneFile) bool { return f.Source == g.Source && f.Name == g.Name }) {
			after = append(after, f)
		}
	}
	if after = append(after, w.job.Files...); done.Same(before, after) {
		return nil
	}
	return after
}

// absorbs reports whether there is something to store of change exports.
func (w *work) absorbs() bool {
	return slices.ContainsFunc(w.said, func(s *extsort.Spool) bool { return s.Position() > 0 })
}

// toPush returns what the push of a run has to know.
func (w *work) toPush(report *runs.Report) push.Plan {
	return push.Plan{
		Run: report.Run, File: w.file, Attributes: w.job.Push(), Epoch: w.job.Epoch, Whole: w.job.Whole, Events: report.Events.Planned,
		Before: w.job.Before, TakesTurns: w.job.TakesTurns,
		WasParked: w.IsParked, WasUnanswered: func(userID []byte) bool { _, was := w.FindUnanswered(userID); return was },
	}
}
