package planfile

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"slices"

	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Entry is what one contact's calls will say.
type Entry struct {
	UserID     []byte
	Class      runs.Class
	Attributes []state.Change
	Fields     []gleap.FieldText
	News       []News
	Origins    []Origin // of the attributes, one for each; none if nobody asked
	Size       int      // of its bytes, once it was read
}

// Origin is where a value comes from, and what it is told instead of.
type Origin struct {
	Old  attr.Value // that Gleap acknowledged, None if it was never told
	Line int        // of the export's row that says the value, 0 if none does
}

// News is a change of an attribute that is told as an event too.
type News struct {
	Index int   // of the attribute in the entry
	At    int64 // the time of the data, in nanoseconds since 1970
}

// Empty reports whether the entry says nothing.
func (e *Entry) Empty() bool { return len(e.Attributes) == 0 && len(e.Fields) == 0 }

// Calls returns how many calls the entry needs.
func (e *Entry) Calls() int {
	return max(1, (len(e.Attributes)+gleap.MaxAttributes-1)/gleap.MaxAttributes)
}

// StateFields returns the contact fields as the state takes them.
func (e *Entry) StateFields() []state.Field {
	var fields []state.Field
	for _, f := range e.Fields {
		fields = append(fields, state.Field{Field: byte(f.Field), Text: f.Text})
	}
	return fields
}

// CutTold takes off the front what the contact was told by calls before: so many attributes, their
// events, and all fields.
func (e *Entry) CutTold(attributes int) {
	if attributes == 0 {
		return
	}
	e.Attributes, e.Fields = e.Attributes[attributes:], nil
	if len(e.Origins) > 0 {
		e.Origins = e.Origins[attributes:]
	}
	var news []News
	for _, n := range e.News {
		if n.Index >= attributes {
			news = append(news, News{n.Index - attributes, n.At})
		}
	}
	e.News = news
}

// Announced returns the entry as the state takes it before it is sent.
func (e *Entry) Announced() state.Announced {
	fields := make([]byte, len(e.Fields))
	for i, f := range e.Fields {
		fields[i] = byte(f.Field)
	}
	return state.Announced{Unanswered: state.Unanswered{UserID: e.UserID, Attributes: e.Attributes}, Fields: fields}
}

// WantedHash identifies what the entry says, so that a parked contact is tried again only
// when that changes. The state keeps it.
func (e *Entry) WantedHash() uint64 {
	h := fnv.New64a()
	h.Write(e.appendCalls(append(binary.AppendUvarint(nil, uint64(len(e.UserID))), e.UserID...)))
	return h.Sum64()
}

// Append appends the entry's payload: all but the user id and the class. A plan that is saved has
// it too: docs/plan-format.md.
func (e *Entry) Append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(e.Origins)))
	for _, o := range e.Origins {
		dst = binary.AppendUvarint(o.Old.Append(dst), uint64(o.Line))
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.News)))
	for _, n := range e.News {
		dst = binary.AppendUvarint(dst, uint64(n.Index))
		dst = binary.BigEndian.AppendUint64(dst, uint64(n.At))
	}
	return e.appendCalls(dst)
}

// appendCalls appends what the calls will say.
func (e *Entry) appendCalls(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(e.Attributes)))
	for _, c := range e.Attributes {
		dst = binary.AppendUvarint(dst, uint64(c.ID))
		dst = c.Value.Append(dst)
	}
	for _, f := range e.Fields {
		dst = append(dst, byte(f.Field))
		dst = binary.AppendUvarint(dst, uint64(len(f.Text)))
		dst = append(dst, f.Text...)
	}
	return dst
}

var errEntry = errors.New("the plan file cannot be decoded")

// Decode reads a payload, of which the entry's values become parts.
func (e *Entry) Decode(b []byte) error {
	e.Attributes, e.Fields, e.News, e.Origins = e.Attributes[:0], e.Fields[:0], e.News[:0], e.Origins[:0]
	b, err := e.decodeOrigins(b)
	if err != nil {
		return err
	}
	all, size := binary.Uvarint(b)
	if size <= 0 || all > uint64(len(b)) {
		return errEntry
	}
	b = b[size:]
	for range all {
		index, size := binary.Uvarint(b)
		if size <= 0 || index > 1<<31 || len(b) < size+8 {
			return errEntry
		}
		e.News = append(e.News, News{int(index), int64(binary.BigEndian.Uint64(b[size:]))})
		b = b[size+8:]
	}
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)) {
		return errEntry
	}
	b = b[size:]
	e.Attributes = slices.Grow(e.Attributes, int(n))
	for range n {
		id, size := binary.Uvarint(b)
		if size <= 0 || id > 1<<31 {
			return errEntry
		}
		v, rest, err := attr.Cut(b[size:])
		if err != nil {
			return errEntry
		}
		e.Attributes = append(e.Attributes, state.Change{ID: uint32(id), Value: v})
		b = rest
	}
	last := -1
	for _, n := range e.News {
		if n.Index <= last || n.Index >= len(e.Attributes) {
			return errEntry
		}
		last = n.Index
	}
	if len(e.Origins) > 0 && len(e.Origins) != len(e.Attributes) {
		return errEntry
	}
	for len(b) > 0 {
		field := gleap.Field(b[0])
		text, rest, ok := attr.CutText(b[1:])
		if !ok {
			return errEntry
		}
		e.Fields = append(e.Fields, gleap.FieldText{Field: field, Text: text})
		b = rest
	}
	return nil
}

// decodeOrigins reads the origins and returns what follows them.
func (e *Entry) decodeOrigins(b []byte) (rest []byte, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)) {
		return nil, errEntry
	}
	b = b[size:]
	for range n {
		old, after, err := attr.Cut(b)
		if err != nil {
			return nil, errEntry
		}
		line, size := binary.Uvarint(after)
		if size <= 0 || line > 1<<62 {
			return nil, errEntry
		}
		e.Origins = append(e.Origins, Origin{old, int(line)})
		b = after[size:]
	}
	return b, nil
}
