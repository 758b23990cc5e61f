package sync

import (
	"bytes"

	"gleapsync/internal/extsort"
	"gleapsync/internal/inputs"
	"gleapsync/internal/rowlist"
	"gleapsync/state"
)

// addFormer makes the counts of delta exports those of the whole: who does not differ has what he
// had.
func (l *attributeList) addFormer(overview *state.Overview) {
	for _, a := range l.attributes {
		if a.counts && a.Input.IsDelta() {
			if known, err := overview.Attribute(a.Key); err == nil {
				a.before += known.Members
			}
			a.members += a.Applied.Members
			a.kept += a.Input.KeptOf(a.ID)
		}
	}
}

// markMembers notes of which attributes Gleap has the contact as a member: to look for each of them
// in the record takes longer.
func (c *contact) markMembers(l *attributeList) {
	for _, k := range c.record.Attributes {
		if a := l.attribute(k.ID); a != nil && a.MemberCount(k.Value) > 0 {
			c.member[k.ID] = c.now
		}
	}
}

// memberNow is 1 if Gleap has the contact as a member, else 0.
func (c *contact) memberNow(id uint32) int {
	if c.member[id] == c.now {
		return 1
	}
	return 0
}

// takeFormer takes what the rows before said of a contact out of the counts: what it has now comes
// with its rows. A note tells that also where the record has not what they said.
func (p *pass) takeFormer() {
	c := &p.contact
	if !c.HadRows() {
		return
	}
	for _, a := range p.attributes {
		if !a.counts || !c.HadRowsIn(a.Input) {
			continue
		}
		n := c.memberNow(a.ID)
		if said, noted := c.Noted(a.ID); noted {
			n = 0
			if said == rowlist.Member {
				n = 1
			}
		}
		p.tallies[a.ID].members -= n
	}
}

// keepNotes has the lists know what the rows of a contact say where its record does not tell,
// neither that of now nor the one with what the contact is told. A contact that is forgotten, with
// no note, is to be in none. planned is false if there is nothing of it in the entry.
func (p *pass) keepNotes(planned, forgotten bool) error {
	c := &p.contact
	if forgotten {
		return p.notes.WriteRow(c.userID, nil)
	}
	p.noted = p.noted[:0]
	if planned {
		for _, t := range p.entry.Attributes {
			c.told[t.ID] = told{t.Value, c.now}
		}
	}
	for _, a := range p.attributes {
		if !a.counts || !a.Input.HasList() || !c.IsIn(a.Input) {
			continue
		}
		has := c.memberNow(a.ID)
		will := has
		if t := c.told[a.ID]; t.mark == c.now {
			will = a.MemberCount(t.value)
		}
		want := 0
		value, says := c.Value(a.ID)
		if says {
			want = a.MemberCount(value)
		}
		note := rowlist.Note{ID: a.ID, Said: rowlist.Other}
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
func (p *plan) knownOf(sources []*inputs.Input, bounds [][]byte) func(i int, span extsort.Span, buffer int) (known, said records) {
	if p.Resyncing() || !p.in.SayAllOf(sources) {
		known, said := p.store.RecordRanges(bounds), p.store.SaidRanges(bounds)
		return func(i int, _ extsort.Span, _ int) (records, records) { return known[i], said[i] }
	}
	return func(_ int, span extsort.Span, buffer int) (records, records) {
		var streams []extsort.Stream
		for _, e := range sources {
			streams = append(streams, e.Rows.Stream(span, buffer))
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
