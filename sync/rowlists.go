package sync

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"slices"

	"gleapsync/internal/extsort"
	"gleapsync/internal/rowlist"
	"gleapsync/state"
)

// The list of an export's rows is written once the plan is made, and counts once the state says
// that the export is applied. Besides the prints it has what the records do not tell: of which
// attributes a row says nothing although the contact has them. So who was a member by the rows is
// known later, of each whose rows are other ones by then.

// writeLists writes the lists of those exports that are applied once the plan is carried out. A
// list that cannot be written is one less: the next run reads all. An error is one of the run.
func (p *plan) writeLists(log *slog.Logger) error {
	for _, e := range p.exports {
		if !p.leavesList(e) {
			continue
		}
		if e.delta.some != nil && e.delta.some.Len() == 0 {
			e.delta.after = e.delta.before
			continue
		}
		before := e.delta.before
		if e.delta.some == nil { // it was of no use
			before = ""
		}
		err := rowlist.Write(p.store.Path(), e.delta.header, rowlist.NewRows(e.delta.stream()), before, p.unsaidOf(e).of)
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
// rows say.
func (p *plan) leavesList(e *export) bool {
	return e.delta.prints != nil && p.request.lists && e.missing == "" && e.result.Invalid == 0 && e.result.Unknown == 0 &&
		!p.postponed && !p.fieldsPostponed &&
		!slices.ContainsFunc(e.attributes, func(a *attribute) bool {
			return !a.active() || a.withheld > 0 || a.damped > 0 || a.retyped > 0 || a.unlisted > 0 || e.result.Attributes[a.index()].Invalid > 0
		})
}

// unsaidRows goes over what the passes noted of an export's contacts.
type unsaidRows struct {
	plan   *plan
	export *export
	rows   extsort.Chain
	userID []byte
	ids    []byte
	begun  bool
}

func (p *plan) unsaidOf(e *export) *unsaidRows {
	u := &unsaidRows{plan: p, export: e}
	for _, s := range p.unsaid {
		u.rows.Parts = append(u.rows.Parts, s.Rows(0, s.Position()))
	}
	return u
}

// of implements [rowlist.Unsaid]: a contact that is forgotten is left out.
func (u *unsaidRows) of(userID []byte) (ids []uint32, forgotten bool, err error) {
	for !u.begun || u.userID != nil && bytes.Compare(u.userID, userID) < 0 {
		u.begun = true
		u.userID, u.ids, _ = u.rows.Next()
	}
	if err := u.rows.Err(); err != nil || !bytes.Equal(u.userID, userID) {
		return nil, false, err
	}
	for b := u.ids; len(b) > 0; {
		id, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, false, extsort.ErrTemp
		}
		if b = b[n:]; u.plan.attribute(uint32(id)).export == u.export {
			ids = append(ids, uint32(id))
		}
	}
	return ids, len(u.ids) == 0, nil
}

// leaveNoLists has the state refer to none.
func leaveNoLists(applied map[uint32]state.Applied) {
	for id, a := range applied {
		a.List = ""
		applied[id] = a
	}
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
