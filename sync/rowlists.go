package sync

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"

	"gleapsync/internal/extsort"
	"gleapsync/internal/rowlist"
	"gleapsync/state"
)

// The list of an export's rows is written once the plan is made, and counts once the state says
// that the export is applied. Besides the prints it has what the records may not tell, since a row
// says nothing of what the contact has, or Gleap refuses what it says. So who was a member by the
// rows is known later, of each whose rows are other ones by then.

// writeLists writes the lists of those exports that are applied once the plan is carried out. A
// list that cannot be written is one less: the next run reads all. An error is one of the run.
func (p *plan) writeLists(log *slog.Logger) error {
	for _, e := range p.exports {
		if !p.leavesList(e) {
			continue
		}
		if e.delta.some != nil && e.delta.differ == 0 {
			e.delta.after = e.delta.before
			continue
		}
		before := e.delta.before
		if e.delta.some == nil { // it was of no use
			before = ""
		}
		err := rowlist.Write(p.store.Path(), e.delta.header, rowlist.NewRows(e.delta.stream()), before, p.notesOf(e).of)
		if err != nil && !errors.As(err, new(rowlist.WriteError)) {
			return err
		}
		if err != nil {
			log.Warn("the list of an export's rows cannot be written, so all of it is read again when it changes", "source", e.Source, "reason", err.Error())
			continue
		}
		e.delta.after = e.delta.header.Name()
	}
	return nil
}

// leavesList reports whether the records, once the plan is carried out, have all that the export's
// rows say. Of how many users the rows say different things only a reading of all of them tells.
func (p *plan) leavesList(e *export) bool {
	return e.delta.prints != nil && p.request.lists && e.missing == "" && e.result.Invalid == 0 && e.result.Unknown == 0 &&
		!p.postponed && !p.fieldsPostponed && e.torn == 0 &&
		!slices.ContainsFunc(e.attributes, func(a *attribute) bool {
			r := e.result.Attributes[a.index()]
			return !a.active() || a.typ == "" && r.Fits.MayBeText() || a.withheld > 0 || a.damped > 0 || a.retyped > 0 || a.unlisted > 0 || r.Invalid > 0
		})
}

// noteRows goes over what the passes noted of an export's contacts.
type noteRows struct {
	plan   *plan
	export *export
	rows   extsort.Chain
	userID []byte
	text   []byte
	begun  bool
	notes  rowlist.Notes
}

func (p *plan) notesOf(e *export) *noteRows {
	n := &noteRows{plan: p, export: e}
	for _, s := range p.notes {
		n.rows.Parts = append(n.rows.Parts, s.Rows(0, s.Position()))
	}
	return n
}

// of implements [rowlist.NotesOf]: a contact that is forgotten is left out. Of one whose rows were
// not read the record has by now what the rows said.
func (n *noteRows) of(userID []byte, before *rowlist.Row) (notes rowlist.Notes, forgotten bool, err error) {
	if before != nil && !n.plan.isUnsettled(userID) {
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
		if b = rest; n.plan.attribute(note.ID).export == n.export {
			n.notes = note.Append(n.notes)
		}
	}
	return n.notes, len(n.text) == 0, nil
}

// removeLists removes the lists that the state does not refer to.
func removeLists(store *state.Store) {
	overview, err := store.Overview()
	if err != nil {
		return
	}
	var keep []string
	for _, a := range overview.Attributes {
		if !a.Retired {
			keep = append(keep, a.Applied.List)
		}
	}
	rowlist.Remove(store.Path(), keep...)
}
