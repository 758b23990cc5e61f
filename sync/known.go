package sync

import (
	"slices"

	"gleapsync/internal/attr"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Where the configuration has lists of known contacts, one without a record is left out unless a
// list has it. Which ones those were nobody remembers: an attribute remembers the version of the
// lists that left somebody of its export out, so that the export is read again once they change.

// listsChanged reports whether an attribute's export is as it was applied last, and is looked at
// for those who were left out then.
func (p *plan) listsChanged(a *attribute) bool {
	return a.Input.IsApplied(a.Attribute) && !p.lists().IsSettled(a.Applied.Unlisted)
}

// isUnlisted reports whether the contact may not be created. One that Gleap may have is not.
func (p *pass) isUnlisted() (bool, error) {
	c := &p.contact
	if p.listed == nil || c.known || c.unanswered != nil {
		return false, nil
	}
	listed, err := p.listed.Has(c.userID)
	return !listed, err
}

// leaveOut counts what the exports say of a contact that may not be created.
func (p *pass) leaveOut() {
	c, any := &p.contact, false
	for _, id := range c.IDs() {
		a := p.attribute(id)
		if v, _ := c.Value(id); a.counts && !a.leaves(v) {
			p.tallies[id].members += a.MemberCount(v)
			p.tallies[id].unlisted++
			any = true
		}
	}
	if any {
		p.found.contacts.Unknown++
	}
	if !p.lists().Held() { // else it may be on the list
		p.settle()
	}
}

// classNow is the class of telling Gleap a value of an attribute. Who was left out before did not
// come just now.
func (c *contact) classNow(a *attribute, has, told attr.Value) runs.Class {
	if a.waited && !c.known && c.unanswered == nil {
		return runs.ClassFirst
	}
	return classOf(a, has, told)
}

// isFirst reports whether the contact is one that was left out before, with nothing more urgent.
func (p *pass) isFirst() bool {
	return !p.contact.known && p.contact.unanswered == nil && p.entry.Class == runs.ClassFirst &&
		slices.ContainsFunc(p.entry.Attributes, func(c state.Change) bool { return p.attribute(c.ID).waited })
}
