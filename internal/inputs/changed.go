package inputs

import (
	"bytes"
	"slices"

	"gleapsync/internal/attr"
	"gleapsync/state"
)

// changed is what change exports said of a contact.
type changed struct {
	state.Said
	feeds  []bool        // by attribute id: whether a change export feeds it
	stored []byte        // as the state has it, nil: it has nothing
	any    bool          // there are new changes
	fields []fieldChange // by number of the field
}

// fieldChange is the newest that was said of a contact field.
type fieldChange struct {
	mark  uint32
	at    int64
	texts [][]byte // of its columns
}

// start forgets the contact before.
func (c *changed) start() {
	c.Attributes, c.Fields, c.stored, c.any = c.Attributes[:0], c.Fields[:0], nil, false
}

// timeOf returns when what is wanted of an attribute was said, if a change said it.
func (c *changed) timeOf(id uint32) (at int64, ok bool) {
	i := slices.IndexFunc(c.Attributes, func(n state.Newest) bool { return n.ID == id })
	if i < 0 || !c.feeds[id] {
		return 0, false
	}
	return c.Attributes[i].At, true
}

// Recall takes in what the state has of what change exports said before. What was to be sent then
// Gleap may have, whatever the record says.
func (w *Wanted) Recall(stored []byte) error {
	c := &w.changed
	if err := c.Decode(stored); err != nil {
		return err
	}
	c.stored = stored
	for i := range c.Fields {
		f := &c.Fields[i]
		f.At = w.in.believed(f.At)
	}
	for i := range c.Attributes {
		n := &c.Attributes[i]
		n.At = w.in.believed(n.At)
		if a := w.in.attribute(n.ID); a != nil && a.MemberCount(n.Value) > 0 {
			n.Tried = true
		}
	}
	return nil
}

// TakeChanges makes what change exports said what is wanted of the contact, of whom Gleap has a
// record. It returns what is to be stored of it, nil if that is nothing new.
func (w *Wanted) TakeChanges(record *state.Record) (store []byte) {
	w.compare(record)
	c := &w.changed
	for _, n := range c.Attributes {
		if a := w.in.attribute(n.ID); a != nil && a.Active() && c.feeds[n.ID] && w.values[n.ID].mark != w.now {
			w.ids = append(w.ids, n.ID)
			if v := a.AsType(n.Value); v.Kind() != attr.None { // it was said before types were kept
				n.Value = v
			}
			w.values[n.ID] = said[attr.Value]{n.Value, w.now}
			if n.Tried {
				w.tried[n.ID] = w.now
			}
		}
	}
	if !c.any {
		return nil
	}
	column := 0
	for i, f := range w.in.o.Fields {
		if newest := &c.fields[i]; newest.mark == w.now && c.AddField(byte(f.Field), newest.at) {
			for j, text := range newest.texts {
				if text != nil {
					w.fields[column+j] = said[fieldText]{fieldText{text: text}, w.now}
				}
			}
		}
		column += len(f.Columns)
	}
	w.encoded = c.Append(w.encoded[:0])
	if bytes.Equal(w.encoded, c.stored) {
		return nil
	}
	return w.encoded
}
