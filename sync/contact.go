package sync

import (
	"bytes"
	"slices"

	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/state"
)

// contact is all that is wanted and known of one contact, while the merge passes it.
type contact struct {
	userID  []byte
	wanted  []said[attr.Value] // by attribute id: what the exports say
	ids     []uint32           // the attributes of which they say something
	old     []uint32           // by attribute id: the mark, if Gleap knows a value
	tried   []uint32           // by attribute id: the mark, if Gleap may have a value that no record shows
	lines   []said[int]        // by attribute id: where that stands, nil if nobody asked
	present []said[bool]       // by export: whether the contact is in it
	silent  []uint32           // by attribute id: the mark, if a row has them and no value
	fields  []said[fieldText]  // by column of the contact fields
	differ  []uint32           // by column of the contact fields: the mark, if exports say different things
	torn    []torn             // by export
	audited []audited          // what the snapshot of an audit says
	former  former             // what the lists of rows say
	told    []said[attr.Value] // by attribute id: what the contact is told, for the lists of rows
	changed changed            // what change exports said, now and before
	known   bool               // there is a record
	record  state.Record

	unanswered *state.Unanswered // what Gleap may have besides, nil: nothing

	now   uint32 // marks what was said of this contact, not of one before
	arena []byte // holds what the streams return only until their next row
}

// changed is what change exports said of a contact.
type changed struct {
	state.Said
	feeds  []bool        // by attribute id: whether a change export feeds it
	stored []byte        // as the state has it, nil: it has nothing
	any    bool          // there are new changes
	fields []fieldChange // by number of the field
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

// fieldChange is the newest that was said of a contact field.
type fieldChange struct {
	mark  uint32
	at    int64
	texts [][]byte // of its columns
}

// fieldText is what an export says of a contact field.
type fieldText struct {
	text []byte
	from int // the export's index
}

// said is a thing and the mark of the contact of which it was said.
type said[T any] struct {
	value T
	mark  uint32
}

// start forgets the contact before.
func (c *contact) start(userID []byte) {
	c.now++
	c.userID = append(c.userID[:0], userID...)
	c.ids, c.audited, c.arena = c.ids[:0], c.audited[:0], c.arena[:0]
	c.known, c.unanswered = false, nil
	c.changed.start()
	c.record = state.Record{Attributes: c.record.Attributes[:0], Fields: c.record.Fields[:0]}
}

// isUnanswered reports whether Gleap may have another value than the record.
func (c *contact) isUnanswered(id uint32) bool {
	return c.unanswered != nil && slices.ContainsFunc(c.unanswered.Attributes, func(u state.Change) bool { return u.ID == id })
}

// field returns a contact field's text: its columns, as far as they say something,
// joined by blanks.
func (c *contact) field(first, n int) []byte {
	var text []byte
	for _, said := range c.fields[first : first+n] {
		if said.mark != c.now {
			continue
		}
		part := bytes.TrimSpace(said.value.text)
		switch {
		case len(part) == 0:
		case len(text) == 0:
			text = part
		default:
			text = bytes.Join([][]byte{text, part}, []byte(" "))
		}
	}
	return text
}

// hasField reports whether Gleap acknowledged any text of a field.
func (c *contact) hasField(field gleap.Field) bool {
	return slices.ContainsFunc(c.record.Fields, func(f state.FieldHash) bool { return f.Field == byte(field) })
}
