package sync

import (
	"gleapsync/internal/attr"
	"gleapsync/internal/planfile"
	"gleapsync/state"
)

// Who asks why an export is held has to see whom it is about. The first merge, before any guard
// spoke, lists all exits and clears; of these the ones count that do not go in the end.

// holdBack counts an exit or a clear that is withheld.
func (p *pass) holdBack(a *attribute, want attr.Value) {
	p.tallies[a.ID].withheld++
	if p.leavers != nil {
		p.leaving = append(p.leaving, state.Change{ID: a.ID, Value: want})
	}
}

// keepLeaving lists the exits and clears of a contact.
func (p *pass) keepLeaving() error {
	if p.leavers == nil {
		return nil
	}
	e := planfile.Entry{UserID: p.contact.userID, Attributes: p.leaving}
	for _, told := range p.entry.Attributes {
		if a := p.attribute(told.ID); a != nil && a.counts && a.leaves(told.Value) && !p.contact.record.Find(told.ID).Value.Equal(told.Value) {
			e.Attributes = append(e.Attributes, told)
		}
	}
	if e.Empty() {
		return nil
	}
	p.contact.trace(&e)
	p.leaving = e.Attributes
	return p.leavers.Write(&e)
}
