package sync

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"slices"

	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/internal/rowlist"
	"gleapsync/state"
)

// The list of an export's rows is written once the plan is made, and counts once the state says
// that the export is applied. Besides the prints it has what the records do not tell: of which
// attributes a row says nothing although the contact has them. So who was a member by the rows is
// known later, of each whose rows are other ones by then.

// countBefore counts a value that Gleap acknowledged. Of a delta export that leaves no more
// members than those who do not differ.
func (p *pass) countBefore(a *attribute, known attr.Value) {
	c, n := &p.contact, a.memberCount(known)
	index := a.export.index
	if n > 0 && p.unsaid != nil && a.export.delta.prints != nil && c.present[index].mark == c.now && c.wanted[a.id].mark != c.now {
		p.silent = append(p.silent, a.id)
	}
	switch {
	case a.export.delta.some == nil:
		p.tallies[a.id].before += n
	case c.former.before[index] == c.now && c.former.unsaid[a.id] != c.now:
		p.tallies[a.id].members -= n
	}
}

// keepUnsaid notes for the lists of which attributes a contact's rows said nothing. A contact that
// is forgotten, with no attribute, is to be in none.
func (p *pass) keepUnsaid(hasRows, forgotten bool) error {
	silent := p.silent
	p.silent = p.silent[:0]
	if p.unsaid == nil || !hasRows || len(silent) == 0 && !forgotten {
		return nil
	}
	var payload []byte
	for _, id := range silent {
		payload = binary.AppendUvarint(payload, uint64(id))
	}
	return p.unsaid.WriteRow(p.contact.userID, payload)
}

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

// knownOf returns the records of the contacts of a span. If all that is merged are delta exports
// these are the contacts that differ, and what the others have nobody looks at.
func (p *plan) knownOf(sources []*export, bounds [][]byte) func(i int, span extsort.Span, buffer int) (known, said records) {
	isWhole := func(e *export) bool { return e.delta.some == nil }
	if p.resyncing() || slices.ContainsFunc(sources, isWhole) || slices.ContainsFunc(p.exports, func(e *export) bool { return e.Changes }) {
		known, said := p.store.RecordRanges(bounds), p.store.SaidRanges(bounds)
		return func(i int, _ extsort.Span, _ int) (records, records) { return known[i], said[i] }
	}
	return func(_ int, span extsort.Span, buffer int) (records, records) {
		var streams []extsort.Stream
		for _, e := range sources {
			streams = append(streams, e.rows.Stream(span, buffer))
		}
		ids := idsOnce{rows: extsort.NewMerger(streams, 0)}
		return state.FindRecords(p.store, ids.next), none{}
	}
}

// idsOnce returns the user ids of rows, each once.
type idsOnce struct {
	rows *extsort.Merger
	last []byte
}

func (i *idsOnce) next() ([]byte, error) {
	for {
		id, _, ok := i.rows.Next()
		if !ok {
			return nil, i.rows.Err()
		}
		if !bytes.Equal(id, i.last) {
			i.last = append(i.last[:0], id...)
			return i.last, nil
		}
	}
}

// none is no records.
type none struct{}

func (none) Next() bool     { return false }
func (none) UserID() []byte { return nil }
func (none) Record() []byte { return nil }
func (none) Err() error     { return nil }
