package sync

import (
	"bytes"
	"slices"

	"gleapsync/internal/extsort"
	"gleapsync/internal/inputs"
	"gleapsync/internal/rowlist"
)

// The list of an export's rows is written once the plan is made, and counts once the state says
// that the export is applied. Besides the prints it has what the records may not tell, since a row
// says nothing of what the contact has, or Gleap refuses what it says. So who was a member by the
// rows is known later, of each whose rows are other ones by then.

// writeLists writes the lists of those exports that are applied once the plan is carried out. An
// error is one of the run.
func (p *plan) writeLists() error {
	for _, e := range p.exports {
		if p.leavesList(e) {
			if err := p.in.WriteList(e, p.notesOf(e).of); err != nil {
				return err
			}
		}
	}
	return nil
}

// leavesList reports whether the records, once the plan is carried out, have all that the export's
// rows say. Of how many users the rows say different things only a reading of all of them tells.
func (p *plan) leavesList(e *inputs.Input) bool {
	return p.in.MayLeaveList(e) && !p.postponed && !p.fieldsPostponed && p.torn[e.Index] == 0 &&
		!slices.ContainsFunc(e.Feeds, func(fed *inputs.Attribute) bool {
			a, r := p.attribute(fed.ID), fed.Result()
			return !a.Active() || a.Decided == "" && r.Fits.MayBeText() || a.withheld > 0 || a.damped > 0 || a.retyped > 0 || a.unlisted > 0 || r.Invalid > 0
		})
}

// noteRows goes over what the passes noted of an export's contacts.
type noteRows struct {
	plan   *plan
	export *inputs.Input
	rows   extsort.Chain
	userID []byte
	text   []byte
	begun  bool
	notes  rowlist.Notes
}

func (p *plan) notesOf(e *inputs.Input) *noteRows {
	n := &noteRows{plan: p, export: e}
	for _, s := range p.notes {
		n.rows.Parts = append(n.rows.Parts, s.Rows(0, s.Position()))
	}
	return n
}

// of implements [rowlist.NotesOf]: a contact that is forgotten is left out. Of one whose rows were
// not read the record has by now what the rows said.
func (n *noteRows) of(userID []byte, before *rowlist.Row) (notes rowlist.Notes, forgotten bool, err error) {
	if before != nil && !n.plan.IsUnsettled(userID) {
		return before.Notes.Nothing(), false, nil
	}
	for !n.begun || n.userID != nil && bytes.Compare(n.userID, userID) < 0 {
		n.begun = true
		n.userID, n.text, _ = n.rows.Next()
	}
	if err := n.rows.Err(); err != nil || !bytes.Equal(n.userID, userID) {
		return nil, false, err
	}
	n.notes = n.notes[:0]
	for b := n.text; len(b) > 0; {
		note, rest, ok := rowlist.CutNote(b)
		if !ok {
			return nil, false, extsort.ErrTemp
		}
		if b = rest; n.plan.attribute(note.ID).Input == n.export {
			n.notes = note.Append(n.notes)
		}
	}
	return n.notes, len(n.text) == 0, nil
}
