package sync

import (
	"bytes"
	"context"
	"slices"

	"gleapsync/internal/extsort"
	"gleapsync/internal/inputs"
	"gleapsync/internal/rowlist"
	"gleapsync/state"
)

// The list of an export's rows is written once the plan is made, and counts once the state says
// that the export is applied. Besides the prints it has what the records may not tell, since a row
// says nothing of what the contact has, or Gleap refuses what it says. So who was a member by the
// rows is known later, of each whose rows are other ones by then.

// writeLists writes the lists of those exports that are applied once the plan is carried out. An
// error is one of the run.
func (p *plan) writeLists(ctx context.Context) error {
	for _, e := range p.exports {
		if p.leavesList(e) {
			if err := p.in.WriteList(ctx, e, newNoteRows(p, e).of, newNoteRows(p, e).all); err != nil {
				return err
			}
		}
	}
	return nil
}

// trimLists has the lists of what is applied say no more than the records need that the run has
// written by now.
func (w *work) trimLists(store *state.Store, applied map[uint32]state.Applied) error {
	if w.in == nil {
		return nil
	}
	lists := map[string]bool{}
	for _, a := range applied {
		lists[a.List] = true
	}
	return w.in.TrimLists(store, lists, func(before, after string) {
		for id, a := range applied {
			if a.List == before {
				a.List = after
				applied[id] = a
			}
		}
	})
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

func newNoteRows(p *plan, e *inputs.Input) *noteRows {
	n := &noteRows{plan: p, export: e}
	for _, s := range p.notes {
		rows := s.Rows(0, s.Position())
		rows.Reuse = true
		n.rows.Parts = append(n.rows.Parts, rows)
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
	err = n.cut()
	return n.notes, len(n.text) == 0, err
}

// all goes over all contacts of whom something of the export was noted, and over those who are
// forgotten, of whom nothing is.
func (n *noteRows) all(yield func(*rowlist.Row, error) bool) {
	var ok bool
	for n.userID, n.text, ok = n.rows.Next(); ok; n.userID, n.text, ok = n.rows.Next() {
		err := n.cut()
		if err == nil && len(n.notes) == 0 && len(n.text) > 0 {
			continue
		}
		if !yield(&rowlist.Row{UserID: n.userID, Notes: n.notes}, err) || err != nil {
			return
		}
	}
	if err := n.rows.Err(); err != nil {
		yield(nil, err)
	}
}

// cut takes what was noted of the export's attributes.
func (n *noteRows) cut() error {
	n.notes = n.notes[:0]
	for b := n.text; len(b) > 0; {
		note, rest, ok := rowlist.CutNote(b)
		if !ok {
			return extsort.ErrTemp
		}
		if b = rest; n.plan.attribute(note.ID).Input == n.export {
			n.notes = note.Append(n.notes)
		}
	}
	return nil
}
