package sync

import (
	"bytes"
	"encoding/binary"
	"slices"

	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/state"
)

// former is what the lists of rows say of a contact.
type former struct {
	differs []uint32 // by export: the mark, if the rows are other ones than before
	before  []uint32 // by export: the mark, if there were any
	unsaid  []uint32 // by attribute id: the mark, if the rows before said nothing of it
}

func newFormer(p *plan) former {
	return former{make([]uint32, len(p.exports)), make([]uint32, len(p.exports)), make([]uint32, len(p.byID))}
}

// differs reports whether anything of an export counts for the contact.
func (c *contact) differs(e *export) bool {
	return e.delta.some == nil || c.former.differs[e.index] == c.now
}

// cutDelta takes what a sorter has of a delta export, and reports whether it is a row that counts.
// Who differs is said before the first row of a user.
func (c *contact) cutDelta(e *export, row []byte) (rest []byte, counts bool) {
	if len(row) == 0 {
		return nil, c.differs(e) // it is no row, and whoever reads it says so
	}
	what, row := row[0], row[1:]
	if what == deltaRow {
		return row, c.differs(e)
	}
	c.former.differs[e.index] = c.now
	if what == deltaKnown {
		c.former.before[e.index] = c.now
	}
	for len(row) > 0 {
		id, n := binary.Uvarint(row)
		if n <= 0 {
			break
		}
		if row = row[n:]; id < uint64(len(c.former.unsaid)) {
			c.former.unsaid[id] = c.now
		}
	}
	return nil, false
}

// addFormer makes the counts of delta exports those of the whole: who does not differ has what he
// had.
func (p *plan) addFormer() {
	for _, a := range p.attributes {
		if a.counts && a.export.delta.some != nil {
			a.before = p.known[a.Key].Members
			a.members += a.applied.Members
			a.kept += a.export.delta.kept[a.id]
		}
	}
}

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
