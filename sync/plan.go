package sync

import (
	"slices"

	"gleapsync/internal/events"
	"gleapsync/internal/extsort"
	"gleapsync/internal/inputs"
	"gleapsync/internal/known"
	"gleapsync/internal/planfile"
	"gleapsync/state"
)

// plan is all that a run would do. Once it is made it does not change.
type plan struct {
	*basis
	attributeList
	in      *inputs.Inputs
	exports []*inputs.Input   // that they have
	torn    []int             // by export: users of whom its rows say different things
	orphans []state.Attribute // that no export feeds
	tracks  *events.Inputs
	said    []*extsort.Spool // what is to be stored of change exports: user ids, each with its changes
	notes   []*extsort.Spool // what the next lists of rows have to know of contacts
	file    planfile.File    // the plan's entries
	leavers *planfile.File   // who would leave if nothing was held, nil: nobody asked
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
	return !p.Alone && !slices.ContainsFunc(p.attributes, func(a *attribute) bool { return !a.Active() }) &&
		!slices.ContainsFunc(p.exports, (*inputs.Input).IsUnknown)
}

// lists returns the lists of contacts that may be created, nil if all may be.
func (p *plan) lists() *known.Lists { return p.in.Lists }

// events returns how many events the run has to send.
func (p *plan) events() int {
	if p.Alone || p.Request.Assume {
		return 0
	}
	return p.news + p.tracks.Count() + p.Overview.DueEvents
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
