package sync

import (
	"slices"

	"gleapsync/internal/events"
	"gleapsync/internal/extsort"
	"gleapsync/internal/known"
	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// plan is all that a run would do. Once it is made it does not change.
type plan struct {
	*basis
	attributeList
	exports  []*export
	unusable []runs.ExportReport // of what a wildcard takes and what cannot be an attribute
	orphans  []state.Attribute   // that no export feeds
	tracks   *events.Inputs
	lists    *known.Lists     // of contacts that may be created; nil: all may be
	said     []*extsort.Spool // what is to be stored of change exports: user ids, each with its changes
	notes    []*extsort.Spool // what the next lists of rows have to know of contacts
	file     planfile.File    // the plan's entries
	leavers  *planfile.File   // who would leave if nothing was held, nil: nobody asked
	findings
	// All exports that have contact fields are looked at: a field may be changed, and
	// not only be added.
	fieldsComplete bool

	store *state.Store
	temp  extsort.CreateTemp
}

// whole reports whether the plan looked at all exports, so that what it wants of a
// contact is all that is wanted.
func (p *plan) whole() bool {
	return !p.alone && !slices.ContainsFunc(p.attributes, func(a *attribute) bool { return !a.active() }) &&
		!slices.ContainsFunc(p.exports, (*export).isUnknown)
}

// events returns how many events the run has to send.
func (p *plan) events() int {
	if p.alone || p.assume {
		return 0
	}
	return p.news + p.tracks.Count() + p.overview.DueEvents
}

// close removes the plan's temporary files.
func (p *plan) close() {
	p.discard()
	p.tracks.Close()
	if p.leavers != nil {
		p.leavers.Close()
	}
}

// discard removes what a merge wrote.
func (p *plan) discard() {
	for _, said := range slices.Concat(p.said, p.notes) {
		said.Close()
	}
	p.file.Close()
}
