package sync

import (
	"slices"
	"time"

	"gleapsync/internal/done"
	"gleapsync/internal/events"
	"gleapsync/internal/push"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// stateAttributes returns the attributes as the state is to know them.
func (p *plan) stateAttributes() []state.Attribute {
	var all []state.Attribute
	for _, a := range p.attributes {
		s := state.Attribute{ID: a.id, Key: a.Key, Kind: string(a.Kind), Name: a.Name, Retired: a.retired}
		if a.active() {
			s.Type = string(a.typ)
			s.Applied.AsOf, s.Computation = a.export.AsOf, a.computation
		}
		all = append(all, s)
	}
	return all
}

// applied returns, for the attributes of this run, what the state is to remember
// once everything was delivered; sent is nil then. Of a run that was cut short these are the attributes of
// which nothing is left over: else a new one would not count as delivered as long as others
// change more than fits. An export of which something is left for another run has no
// fingerprint: it has to be read again.
func (p *plan) applied(now time.Time, sent *push.Result) map[uint32]state.Applied {
	all := map[uint32]state.Applied{}
	for _, a := range p.attributes {
		again := p.postponed || a.export.result.HasFields && p.fieldsPostponed || a.withheld > 0
		delivered := sent == nil || a.left == sent.Told[a.id] && !(a.export.result.HasFields && p.fields != sent.Fields)
		if a.active() && !delivered && a.withheld > 0 { // this run counts too
			before := a.applied
			before.Fingerprint, before.AsOf = "", a.export.AsOf
			before.Parts, before.IDParts = a.mostParts()
			before.WithheldRuns++
			all[a.id] = before
		}
		if a.active() && !a.retired && delivered {
			fingerprint := a.export.fingerprint
			if again {
				fingerprint = ""
			}
			applied := state.Applied{
				Fingerprint: fingerprint, AsOf: a.export.AsOf, At: now,
				Members: a.members + a.withheld, HasFields: a.export.result.HasFields, Due: a.due,
			}
			if a.unlisted > 0 {
				applied.Unlisted = p.lists.Version()
			}
			applied.Parts, applied.IDParts = a.export.parts, a.export.idParts
			if a.withheld > 0 || a.export.missing != "" && a.absence != "" { // what is missing may come yet
				applied.Parts, applied.IDParts = a.mostParts()
			}
			if a.withheld > 0 {
				applied.WithheldRuns = a.applied.WithheldRuns + 1
			}
			all[a.id] = applied
		}
	}
	return all
}

// mostParts returns how many parts the export has or had when it was applied last, whatever
// is more: where not all that stands in them counted, fewer of them later must not.
func (a *attribute) mostParts() (parts, ids int) {
	return max(a.export.parts, a.applied.Parts), max(a.export.idParts, a.applied.IDParts)
}

// filesAfter returns the files that are done after a run that delivered everything, nil if they are those
// from before. Files are done if all that they say is acknowledged, or parked.
func (p *plan) filesAfter() []state.DoneFile {
	if p.alone {
		return nil
	}
	after := []state.DoneFile{}
	for _, f := range p.tracks.Files() {
		if events.IsFile(f) {
			after = append(after, f) // they are done whatever became of the run
		}
	}
	for _, e := range p.exports {
		if e.input != nil {
			after = append(after, e.filesAfter(p.isDone(e))...)
		}
	}
	if done.Same(p.tracks.Files(), after) {
		return nil
	}
	return after
}

// isDone reports whether all that an export's files say counted.
func (p *plan) isDone(e *export) bool {
	return e.rows != nil && e.refused == nil && !(e.result.HasFields && p.fieldsPostponed) &&
		!slices.ContainsFunc(e.attributes, func(a *attribute) bool { return !a.active() || a.withheld > 0 }) &&
		!slices.ContainsFunc(p.unusable, func(r runs.ExportReport) bool { return r.Source == e.Source && r.Status == runs.StatusHeld })
}
