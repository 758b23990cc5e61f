package sync

import (
	"slices"

	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/internal/inputs"
	"gleapsync/internal/planfile"
	"gleapsync/state"
)

// contact is all that is wanted and known of one contact, while the merge passes it.
type contact struct {
	userID []byte
	*inputs.Wanted
	old    []uint32 // by attribute id: the mark, if Gleap knows a value
	told   []told   // by attribute id: what the contact is told, for the lists of rows
	member []uint32 // by attribute id: the mark, if it counts as a member for the lists of rows
	known  bool     // there is a record
	record state.Record

	unanswered *state.Unanswered // what Gleap may have besides, nil: nothing
	parked     *state.Parked     // what Gleap refused, nil: nothing

	now uint32 // marks what is of this contact, not of one before
}

// told is a value and the mark of the contact that is told it.
type told struct {
	value attr.Value
	mark  uint32
}

// start forgets the contact before.
func (c *contact) start(userID []byte) {
	c.now++
	c.userID = append(c.userID[:0], userID...)
	c.known, c.unanswered, c.parked = false, nil, nil
	c.Start()
	c.record = state.Record{Attributes: c.record.Attributes[:0], Fields: c.record.Fields[:0]}
}

// isUnanswered reports whether Gleap may have another value than the record.
func (c *contact) isUnanswered(id uint32) bool {
	if c.unanswered == nil { // as nearly always
		return false
	}
	return slices.ContainsFunc(c.unanswered.Attributes, func(u state.Change) bool { return u.ID == id })
}

// hasField reports whether Gleap acknowledged any text of a field.
func (c *contact) hasField(field gleap.Field) bool {
	return slices.ContainsFunc(c.record.Fields, func(f state.FieldHash) bool { return f.Field == byte(field) })
}

// trace says of each value of an entry what it is told instead of, and where it stands.
func (c *contact) trace(e *planfile.Entry) {
	e.Origins = e.Origins[:0]
	for _, told := range e.Attributes {
		e.Origins = append(e.Origins, planfile.Origin{Old: c.record.Find(told.ID).Value, Line: c.Line(told)})
	}
}
