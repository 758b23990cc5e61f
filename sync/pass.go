package sync

import (
	"gleapsync/internal/extsort"
	"gleapsync/internal/inputs"
	"gleapsync/internal/known"
	"gleapsync/internal/planfile"
	"gleapsync/state"
)

// pass goes over the contacts of a span of the user ids, and writes its part of the plan.
// Several go on at a time: what they share they only read.
type pass struct {
	*plan
	part    *planfile.Part // of the plan file
	said    *extsort.Spool // what is to be stored of change exports: user ids, each with its changes
	found   findings
	tallies []tally // by attribute id

	cursors    cursors
	row        []byte // at the cursor
	from       *inputs.Input
	unanswered []state.Unanswered // from the cursor on
	parked     []state.Parked     // the same

	contact contact
	entry   planfile.Entry
	listed  *known.Cursor  // nil: there are no lists of known contacts
	reasons int            // attributes in it that are worth a call
	reason  uint32         // the last one of these
	damped  []dampedChange // that go along if the contact is called for something else
	counted []state.Change // what was counted of the contact, if it is parked
	leavers *planfile.Part // of the file of that name, nil: nobody asks, or it is written
	leaving []state.Change // the contact's exits and clears that are withheld, if somebody asks
	notes   *extsort.Spool // what the next lists of rows have to know of contacts, nil: there are none
	noted   []byte         // that of the contact
}

// countAlone counts what each attribute costs.
func (p *pass) countAlone() {
	for _, c := range p.entry.Attributes {
		p.tallies[c.ID].left++
	}
	if p.reasons != 1 || p.contact.known && len(p.entry.Fields) > 0 {
		return
	}
	t := &p.tallies[p.reason]
	t.alone++
	if p.entry.Class.IsDelta() {
		t.aloneDelta++
	}
}

// settle ends the parking of a contact of whom nothing is wanted any more. With some
// of the exports only, nobody knows that.
func (p *pass) settle() {
	if parked := p.contact.parked; parked != nil && p.whole() {
		p.found.unpark = append(p.found.unpark, parked.UserID)
	}
}

// wait has what was counted of a contact be told as nothing new: it stays parked, in run after run.
// Guards count it all the same.
func (p *pass) wait() {
	for _, c := range p.counted {
		p.tallies[c.ID].waiting.count(p.attribute(c.ID), c.Value)
	}
}
