package sync

import (
	"bytes"
	"encoding/binary"

	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
)

// add implements [input]. A row is one change.
func (x *changes) add(c *contact, row []byte) error {
	c.changed.any = true
	from := len(c.arena)
	c.arena = append(c.arena, row...)
	line, b, ok := c.cutLine(c.arena[from:])
	if !ok {
		return extsort.ErrTemp
	}
	number, n := binary.Uvarint(b)
	if n <= 0 || number > uint64(len(x.of)) || len(b) < n+16 {
		return extsort.ErrTemp
	}
	at, message := int64(binary.BigEndian.Uint64(b[n:])), binary.BigEndian.Uint64(b[n+8:])
	value, b, err := attr.Cut(b[n+16:])
	if err != nil {
		return extsort.ErrTemp
	}
	if number > 0 {
		if a := x.of[number-1]; a != nil && a.counts {
			value = a.value(value)
			switch {
			case value.Kind() == attr.None:
			case number > uint64(len(x.computations)):
				c.audited = append(c.audited, audited{a, at, value})
			default:
				c.changed.Add(a.id, at, message, value)
				if newest, _ := c.changed.timeOf(a.id); newest == at {
					c.stands(a.id, line)
				}
			}
		}
	}
	if x.NoFields {
		return nil
	}
	kinds, texts, ok := attr.CutCells(b, len(c.fields))
	if !ok {
		return extsort.ErrTemp
	}
	for i, f := range x.o.Fields {
		said := false
		columns := make([][]byte, len(f.Columns))
		for j := range f.Columns {
			if attr.Kind(kinds[j]).HasText() {
				if columns[j], texts, ok = attr.CutText(texts); !ok {
					return extsort.ErrTemp
				}
				said = true
			}
		}
		kinds = kinds[len(f.Columns):]
		if newest := &c.changed.fields[i]; said && (newest.mark != c.now || at >= newest.at) {
			*newest = fieldChange{c.now, at, columns}
		}
	}
	return nil
}

// decodeChanges reads what change exports said before. What was to be sent then Gleap may
// have, whatever the record says.
func (p *pass) decodeChanges(stored []byte) error {
	c := &p.contact
	if err := c.changed.Decode(stored); err != nil {
		return err
	}
	c.changed.stored = stored
	for i := range c.changed.Fields {
		f := &c.changed.Fields[i]
		f.At = p.believed(f.At)
	}
	for i := range c.changed.Attributes {
		n := &c.changed.Attributes[i]
		n.At = p.believed(n.At)
		if a := p.attribute(n.ID); a != nil && a.memberCount(n.Value) > 0 {
			n.Tried = true
		}
	}
	return nil
}

// takeChanges makes what change exports said what is wanted of the contact, and notes what
// is to be stored of it.
func (p *pass) takeChanges() error {
	c := &p.contact
	p.compare()
	for _, n := range c.changed.Attributes {
		if a := p.attribute(n.ID); a != nil && a.counts && c.changed.feeds[n.ID] && c.wanted[n.ID].mark != c.now {
			c.ids = append(c.ids, n.ID)
			if v := a.asType(n.Value); v.Kind() != attr.None { // it was said before types were kept
				n.Value = v
			}
			c.wanted[n.ID] = said[attr.Value]{n.Value, c.now}
			if n.Tried {
				c.tried[n.ID] = c.now
			}
		}
	}
	if !c.changed.any {
		return nil
	}
	column := 0
	for i, f := range p.o.Fields {
		if newest := &c.changed.fields[i]; newest.mark == c.now && c.changed.AddField(byte(f.Field), newest.at) {
			for j, text := range newest.texts {
				if text != nil {
					c.fields[column+j] = said[fieldText]{fieldText{text: text}, c.now}
				}
			}
		}
		column += len(f.Columns)
	}
	p.encoded = c.changed.Append(p.encoded[:0])
	if bytes.Equal(p.encoded, c.changed.stored) {
		return nil
	}
	return p.said.WriteRow(c.userID, p.encoded)
}
