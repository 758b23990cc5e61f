package sync

import (
	"bytes"
	"slices"

	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/internal/rowlist"
	"gleapsync/state"
)

// former is what the lists of rows say of a contact.
type former struct {
	differs []uint32             // by export: the mark, if the rows are other ones than before
	before  []uint32             // by export: the mark, if there were any
	any     uint32               // the mark, if there were any of some export
	notes   []said[rowlist.Said] // by attribute id
}

func newFormer(p *plan) former {
	return former{make([]uint32, len(p.exports)), make([]uint32, len(p.exports)), 0, make([]said[rowlist.Said], len(p.byID))}
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
		c.former.before[e.index], c.former.any = c.now, c.now
	}
	for note, rest, ok := rowlist.CutNote(row); ok; note, rest, ok = rowlist.CutNote(rest) {
		if int(note.ID) < len(c.former.notes) {
			c.former.notes[note.ID] = said[rowlist.Said]{note.Said, c.now}
		}
	}
	return nil, false
}

// addFormer makes the counts of delta exports those of the whole: who does not differ has what he
// had.
func (p *plan) addFormer() {
	for _, a := range p.attributes {
		if a.counts && a.export.delta.some != nil {
			a.before += p.known[a.Key].Members
			a.members += a.applied.Members
			a.kept += a.export.delta.kept[a.id]
		}
	}
}

// takeFormer takes what the rows before said of a contact out of the counts: what it has now comes
// with its rows. A note tells that also where the record has not what they said.
func (p *pass) takeFormer() {
	c := &p.contact
	if c.former.any != c.now {
		return
	}
	for _, a := range p.attributes {
		if !a.counts || c.former.before[a.export.index] != c.now {
			continue
		}
		n := a.memberCount(c.record.Find(a.id).Value)
		if note := c.former.notes[a.id]; note.mark == c.now {
			n = 0
			if note.value == rowlist.Member {
				n = 1
			}
		}
		p.tallies[a.id].members -= n
	}
}

// keepNotes has the lists know what the rows of a contact say where its record does not tell,
// neither that of now nor the one with what the contact is told. A contact that is forgotten, with
// no note, is to be in none. told is false if there is nothing of it in the entry.
func (p *pass) keepNotes(told, forgotten bool) error {
	c := &p.contact
	if forgotten {
		return p.notes.WriteRow(c.userID, nil)
	}
	p.noted = p.noted[:0]
	if told {
		for _, t := range p.entry.Attributes {
			c.told[t.ID] = said[attr.Value]{t.Value, c.now}
		}
	}
	for _, a := range p.attributes {
		if !a.counts || a.export.delta.prints == nil || c.present[a.export.index].mark != c.now {
			continue
		}
		has := a.memberCount(c.record.Find(a.id).Value)
		will := has
		if t := c.told[a.id]; t.mark == c.now {
			will = a.memberCount(t.value)
		}
		want, says := 0, c.wanted[a.id].mark == c.now
		if says {
			want = a.memberCount(c.wanted[a.id].value)
		}
		note := rowlist.Note{ID: a.id, Said: rowlist.Other}
		switch {
		case has == want && will == want:
			continue
		case !says && will > 0:
			note.Said = rowlist.Nothing
		case want > 0:
			note.Said = rowlist.Member
		}
		p.noted = note.Append(p.noted)
	}
	if len(p.noted) == 0 {
		return nil
	}
	return p.notes.WriteRow(c.userID, p.noted)
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
