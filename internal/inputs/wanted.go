package inputs

import (
	"bytes"
	"slices"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/rowlist"
)

// Wanted is what the exports say of one contact: the rows of a user are added to it, and then it
// is asked. It is used again for the next contact.
type Wanted struct {
	in      *Inputs
	values  []said[attr.Value] // by attribute id: what is said
	ids     []uint32           // the attributes of which something is said
	tried   []uint32           // by attribute id: the mark, if Gleap may have a value that no record shows
	lines   []said[int]        // by attribute id: where that stands, nil if nobody asked
	present []said[bool]       // by export: whether the contact is in it
	silent  []uint32           // by attribute id: the mark, if a row has them and no value
	fields  []said[fieldText]  // by column of the contact fields
	differ  []uint32           // by column of the contact fields: the mark, if exports say different things
	torn    []torn             // by export
	audited []audited          // what the snapshot of an audit says
	mended  []int              // by attribute id: values of changes that an audit found to be wrong
	former  former             // what the lists of rows say
	changed changed            // what change exports said, now and before

	now     uint32 // marks what was said of this contact, not of one before
	arena   []byte // holds what the streams return only until their next row
	encoded []byte // what is to be stored that was encoded last
}

// said is a thing and the mark of the contact of which it was said.
type said[T any] struct {
	value T
	mark  uint32
}

// fieldText is what an export says of a contact field.
type fieldText struct {
	text []byte
	from int // the export's index
}

// NewWanted returns what is wanted of no contact yet. Several can be filled at a time.
func (in *Inputs) NewWanted() *Wanted {
	attributes, exports, columns := len(in.byID), len(in.All), len(Columns(in.o.Fields))
	w := &Wanted{
		in:      in,
		values:  make([]said[attr.Value], attributes),
		tried:   make([]uint32, attributes),
		silent:  make([]uint32, attributes),
		mended:  make([]int, attributes),
		present: make([]said[bool], exports),
		fields:  make([]said[fieldText], columns),
		differ:  make([]uint32, columns),
		torn:    make([]torn, exports),
		former: former{
			differs: make([]uint32, exports), before: make([]uint32, exports), notes: make([]said[rowlist.Said], attributes),
		},
		changed: changed{feeds: make([]bool, attributes), fields: make([]fieldChange, len(in.o.Fields))},
	}
	for _, a := range in.Fed {
		w.changed.feeds[a.ID] = a.Input.Changes
	}
	if in.Request.Traces {
		w.lines = make([]said[int], attributes)
	}
	return w
}

// Start forgets the contact before.
func (w *Wanted) Start() {
	w.now++
	w.ids, w.audited, w.arena = w.ids[:0], w.audited[:0], w.arena[:0]
	w.changed.start()
}

// Add takes in a row of an export.
func (w *Wanted) Add(e *Input, row []byte) error { return e.add(w, row) }

// IDs returns the ids of the attributes of which the exports say a value.
func (w *Wanted) IDs() []uint32 { return w.ids }

// Value returns the value that the exports say of an attribute.
func (w *Wanted) Value(id uint32) (v attr.Value, ok bool) {
	s := &w.values[id]
	return s.value, s.mark == w.now
}

// Of returns what the exports say about an attribute of which Gleap knows a value, also by the
// absence of the contact; None if they say nothing.
func (w *Wanted) Of(a *Attribute, known attr.Value) attr.Value {
	if v, ok := w.Value(a.ID); ok {
		return v
	}
	switch {
	case w.IsSilent(a):
	case a.Kind == engage.Audience && known.Kind() == attr.True && !a.Input.KeepAbsent:
		return attr.OfBool(false)
	case a.Kind == engage.Trait && known.Kind() != attr.Null && a.Input.ClearMissing:
		return attr.OfNull()
	}
	return attr.Value{}
}

// IsIn reports whether a snapshot has the contact.
func (w *Wanted) IsIn(e *Input) bool { return w.present[e.Index].mark == w.now }

// IsSilent reports whether a snapshot has a row that could say something of an attribute of the
// contact, and no value.
func (w *Wanted) IsSilent(a *Attribute) bool {
	_, says := w.Value(a.ID)
	return !says && w.IsIn(a.Input) && (!a.Input.Result.Sparse || w.silent[a.ID] == w.now)
}

// IsTried reports whether Gleap may have a value of an attribute that no record shows.
func (w *Wanted) IsTried(id uint32) bool { return w.tried[id] == w.now }

// Torn returns how many users have rows in an export that say different things.
func (w *Wanted) Torn(e *Input) int { return w.torn[e.Index].users }

// Mended returns how many values of an attribute an audit found to be wrong.
func (w *Wanted) Mended(a *Attribute) int { return w.mended[a.ID] }

// Time returns the time of what is known of an attribute, in nanoseconds since 1970: that of the
// change, or of the snapshot's data.
func (w *Wanted) Time(a *Attribute) int64 {
	if at, ok := w.changed.timeOf(a.ID); ok {
		return at
	}
	asOf := a.Input.AsOf
	if asOf.IsZero() {
		asOf = time.Now()
	}
	return asOf.Truncate(time.Millisecond).UnixNano()
}

// Field returns a contact field's text: its columns, as far as they say something,
// joined by blanks; and whether exports say different things of it.
func (w *Wanted) Field(first, n int) (text []byte, differs bool) {
	for _, said := range w.fields[first : first+n] {
		if said.mark != w.now {
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
	return text, slices.Contains(w.differ[first:first+n], w.now)
}
