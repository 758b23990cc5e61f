package sync

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/forms"
	"gleapsync/internal/inputs"
	"gleapsync/internal/keys"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// makeUnchanged makes e that of an export like the one last applied. It may have been read
// for the fields of other contacts; what it wants is delivered, or parked.
func makeUnchanged(e *runs.ExportReport, members int) {
	*e = runs.ExportReport{Key: e.Key, Name: e.Name, Kind: e.Kind, Type: e.Type, Source: e.Source, Status: runs.StatusUnchanged, AsOf: e.AsOf, Members: members, Note: e.Note}
}

// leftSince says since when something is left of each class.
func leftSince(r *runs.Report, t state.Turns) {
	for i := range r.Classes {
		c := &r.Classes[i]
		c.Since = ""
		if c.Left > 0 || r.Outcome == runs.Planned && c.Planned > 0 {
			c.Since = t.Classes[c.Class.String()].Since
		}
	}
}

// report returns the plan as a report.
func (p *plan) report() runs.Report {
	r := runs.Report{
		Project:  p.o.Project,
		Mode:     runs.Incremental,
		Outcome:  runs.Planned,
		Contacts: p.contacts,
		Calls:    runs.CallCounts{Identify: p.calls, Track: p.o.trackCalls(p.events())},
		Events:   runs.EventCounts{Planned: p.events(), Parked: p.Overview.ParkedEvents},
		Exports:  []runs.ExportReport{},
	}
	switch {
	case p.Request.Assume:
		r.Mode = runs.Assuming
	case p.Overview.Resynced == 0 && !p.Alone:
		r.Mode = runs.First
	case p.Request.Full || p.Resyncing():
		r.Mode = runs.Full
	}
	for class, planned := range p.file.Counts() {
		r.Classes = append(r.Classes, runs.ClassReport{Class: runs.Class(class), Planned: planned.Contacts})
	}
	leftSince(&r, p.turns)
	r.Contacts.Parked = p.Overview.Parked - p.retried - len(p.unpark)
	for f, n := range p.leftOut {
		if n > 0 {
			if r.LeftOut == nil {
				r.LeftOut = map[string]int{}
			}
			r.LeftOut[gleap.Field(f).String()] = n
		}
	}
	r.FieldsMissing, r.FieldsDiffer = p.missingFields(), p.differing(p.o.Fields)
	for _, a := range p.orphans {
		if !a.Retired && !p.Alone {
			r.Orphans = append(r.Orphans, runs.Orphan{Key: a.Key, Name: a.Name, Kind: engage.Kind(a.Kind), Members: a.Members})
		}
	}
	inOrder := slices.Clone(p.attributes) // those that patterns take were found later
	slices.SortStableFunc(inOrder, func(a, b *attribute) int { return a.Input.Index - b.Input.Index })
	for _, a := range inOrder {
		if a.Asked {
			e := a.report()
			if e.Status == runs.StatusApplied && e.Retyped == 0 && a.Input.IsApplied(a.Attribute) && p.lists().IsSettled(a.Applied.Unlisted) && !p.Resyncing() && !p.Resend && a.Applied.Due.IsZero() {
				makeUnchanged(&e, a.Applied.Members)
			}
			if known, err := p.Overview.Attribute(e.Key); err == nil && e.Status == runs.StatusHeld {
				e.Acknowledged = known.Members
			}
			r.Exports = append(r.Exports, e)
		}
	}
	r.Exports = append(r.Exports, p.in.Unusable...)
	r.Notes = slices.Concat(reservedNotes(p.attributes), p.acceptedNotes(p.Request), p.formNotes(), aheadNotes(p.exports, slices.Concat(p.tracks.Notes(), p.lists().Notes())))
	r.Notes = append(r.Notes, p.in.Shrunk(p.o.Guard.MinExits)...)
	for i, users := range p.torn {
		if note := p.exports[i].TornNote(users); note != "" {
			r.Notes = append(r.Notes, note)
		}
	}
	r.Notes = append(r.Notes, p.in.DeltaNotes()...)
	r.Empty = p.in.Empty()
	var tracks []*engage.Export
	for i := range p.o.Tracks {
		tracks = append(tracks, &p.o.Tracks[i].Export)
	}
	r.Unused = p.in.Unused(tracks)
	if n := p.Overview.Deletions; n > 0 {
		r.Deletions = &runs.Deletions{Owed: n}
	}
	r.Exports = append(r.Exports, slices.Concat(p.tracks.Reports(), p.lists().Reports())...)
	r.Estimate = p.o.estimate(r.Calls.All())
	return r
}

// trackCalls returns how many requests so many events need.
func (o *Options) trackCalls(events int) int {
	batch := max(1, o.Events.Batch)
	return (events + batch - 1) / batch
}

// estimate returns how many seconds so many calls take at the rate limit, 0 if there is none.
func (o *Options) estimate(calls int) int {
	if o.Rate <= 0 {
		return 0
	}
	second := int64(o.Rate) * int64(time.Second)
	return int((int64(calls)*int64(o.Window) + second - 1) / second)
}

// formNotes says whether contacts keep booleans in another form than the present one.
func (b *basis) formNotes() []string {
	if b.Alone {
		return nil
	}
	notes, _ := forms.Notes(b.Overview, b.Epoch, b.o.BooleanAs) // the run itself reads them again
	return notes
}

// aheadNotes names the exports whose times lie ahead, and adds what is said of others.
func aheadNotes(exports []*inputs.Input, others []string) (notes []string) {
	add := func(note string) {
		if note != "" && !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
	}
	for _, e := range exports {
		add(e.Note(e.Source))
	}
	for _, note := range others {
		add(note)
	}
	return notes
}

func (a *attribute) report() runs.ExportReport {
	r := a.Report()
	r.Members, r.Entered, r.Exited, r.Changed = a.members+a.withheld, a.entered, a.exited, a.changed
	r.Withheld, r.Retyped, r.Damped, r.Mended, r.CallsAlone, r.Kept = a.withheld, a.retyped, a.damped, a.mended, a.alone, a.kept
	if r.Status == runs.StatusApplied {
		told := a.moves.less(a.waiting)
		r.Entered, r.Exited, r.Changed = told.entered, told.exited, told.changed
		r.Reason = a.withheldReason()
	}
	if r.Status == runs.StatusHeld {
		r.Exited, r.Members, r.Withheld, r.Retyped = r.Exited+r.Withheld, a.members, 0, 0
	}
	if r.Status == runs.StatusUnchanged {
		makeUnchanged(&r, a.Applied.Members)
	}
	return r
}

// reservedNotes names the attributes that go on only since they were delivered before.
func reservedNotes(attributes []*attribute) []string {
	var notes []string
	for _, a := range attributes {
		var reserved *keys.ReservedError
		if a.Asked && !a.Retired && errors.As(keys.Check(a.Key), &reserved) {
			notes = append(notes, fmt.Sprintf("%s: it goes on since it was delivered before, and may overwrite the field, so choose another key for the %s %q", reserved, a.Kind, a.Name))
		}
	}
	return notes
}
