package sync

import (
	"slices"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/done"
	"gleapsync/internal/events"
	"gleapsync/internal/extsort"
	"gleapsync/internal/job"
	"gleapsync/internal/planfile"
	"gleapsync/internal/push"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// work is what a run carries out: a job with its calls. Where it comes from does not matter any
// more.
type work struct {
	*basis // what the state says
	job.Job
	file   *planfile.File
	said   []*extsort.Spool
	tracks *events.Inputs // nil: it is a plan that was saved, and event exports are no part of it
	made   time.Time      // when that was
	names  *push.Events   // of events that changes are told as, nil: those of the configuration
	close  func()
}

// work returns what a run has to carry out of a plan, nothing of one that failed.
func (p *plan) work(failed bool) *work {
	w := &work{basis: p.basis, file: &p.file, said: p.said, tracks: p.tracks, close: p.close}
	if w.Job = (job.Job{Before: p.turns, Costliest: costliest(p)}); !failed {
		w.Job = p.job()
	}
	return w
}

// job returns what the plan leaves to do beside its calls.
func (p *plan) job() job.Job {
	j := job.Job{
		Epoch: p.epoch, Whole: p.whole(), Resend: p.resend, TakesTurns: p.takesTurns, Before: p.turns,
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
func (p *plan) keys() []job.Key {
	keys := make([]job.Key, len(p.byID))
	for id, ref := range p.byID {
		keys[id].Key = ref.key
		if a := ref.attribute; a != nil {
			keys[id].IsAudience, keys[id].Source = a.Kind == engage.Audience, a.export.Origin()
		}
	}
	return keys
}

// jobOf returns what the job has of an attribute. An export of which something is left for another
// run has no fingerprint: it has to be read again.
func (p *plan) jobOf(a *attribute) job.Attribute {
	j := job.Attribute{ID: a.id, Key: a.Key, Kind: string(a.Kind), Name: a.Name, Retired: a.retired, Before: a.applied, Left: a.left}
	if !a.active() {
		// Of contacts that others have now it may say what they need.
		j.Rereads = p.fieldsPostponed && a.applied.HasFields || a.applied.Unlisted != "" && a.applied.Unlisted != p.lists.Version()
		return j
	}
	j.Type, j.AsOf, j.Computation, j.HasFields = string(a.typ), a.export.AsOf, a.computation, a.export.result.HasFields
	if a.withheld > 0 {
		cut := a.applied
		cut.Fingerprint, cut.List, cut.AsOf = "", "", a.export.AsOf
		cut.Parts, cut.IDParts = a.mostParts()
		cut.WithheldRuns++
		j.CutShort = &cut
	}
	if a.retired {
		return j
	}
	applied := state.Applied{
		Fingerprint: a.export.fingerprint, AsOf: a.export.AsOf,
		Members: a.members + a.withheld, HasFields: a.export.result.HasFields, Due: a.due, Rows: a.export.result.Rows,
		Parts: a.export.parts, IDParts: a.export.idParts, EndsLines: a.endsLines(),
	}
	if a.unlisted > 0 {
		applied.Unlisted = p.lists.Version()
	}
	if p.postponed || a.export.result.HasFields && p.fieldsPostponed || a.withheld > 0 {
		applied.Fingerprint = ""
	}
	if applied.Fingerprint != "" {
		applied.List = a.export.delta.after
	}
	if a.withheld > 0 || a.export.missing != "" && a.absence != "" { // what is missing may come yet
		applied.Parts, applied.IDParts = a.mostParts()
	}
	if a.withheld > 0 {
		applied.WithheldRuns = a.applied.WithheldRuns + 1
	}
	j.Done = &applied
	return j
}

// endsLines reports whether a text that ends without a line break is one that may be cut off, in
// the next run. Who lets those leave who would be withheld takes this one for whole.
func (a *attribute) endsLines() bool {
	switch r := a.export.result; {
	case r.Cut:
		return a.absence != ""
	case r.Ends == engage.EndsUnseen:
		return a.applied.EndsLines
	default:
		return r.Ends == engage.EndsLine
	}
}

// mostParts returns how many parts the export has or had when it was applied last, whatever
// is more: where not all that stands in them counted, fewer of them later must not.
func (a *attribute) mostParts() (parts, ids int) {
	return max(a.export.parts, a.applied.Parts), max(a.export.idParts, a.applied.IDParts)
}

// doneFiles returns the files of change exports that are done once everything is delivered. Files
// are done if all that they say is acknowledged, or parked.
func (p *plan) doneFiles() []state.DoneFile {
	var files []state.DoneFile
	for _, e := range p.exports {
		if e.input != nil {
			files = append(files, e.filesAfter(p.isDone(e))...)
		}
	}
	return files
}

// isDone reports whether all that an export's files say counted.
func (p *plan) isDone(e *export) bool {
	return e.rows != nil && e.refused == nil && !(e.result.HasFields && p.fieldsPostponed) &&
		!slices.ContainsFunc(e.attributes, func(a *attribute) bool { return !a.active() || a.withheld > 0 }) &&
		!slices.ContainsFunc(p.unusable, func(r runs.ExportReport) bool { return r.Source == e.Origin() && r.Status == runs.StatusHeld })
}

// filesAfter returns the files that are done after a run that delivered everything, nil if they are
// those from before.
func (w *work) filesAfter() []state.DoneFile {
	if w.alone {
		return nil
	}
	before := w.files
	if w.tracks != nil {
		before = w.tracks.Files()
	}
	after := []state.DoneFile{}
	for _, f := range before {
		// Those of event exports are done whatever became of the run, and others that other runs
		// have done since a plan was saved.
		if events.IsFile(f) || w.tracks == nil && f.At.After(w.made) && !slices.ContainsFunc(w.Files, func(g state.DoneFile) bool { return f.Source == g.Source && f.Name == g.Name }) {
			after = append(after, f)
		}
	}
	if after = append(after, w.Files...); done.Same(before, after) {
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
		Run: report.Run, File: w.file, Attributes: w.Push(), Epoch: w.Epoch, Whole: w.Whole, Events: report.Events.Planned,
		Before: w.Before, TakesTurns: w.TakesTurns,
		WasParked: w.isParked, WasUnanswered: func(userID []byte) bool { _, was := w.findUnanswered(userID); return was },
	}
}
