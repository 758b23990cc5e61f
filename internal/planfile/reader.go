package planfile

import (
	"io"

	"gleapsync/internal/extsort"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Reader reads a plan's entries in the order of the push.
type Reader struct {
	turns turns
	left  [runs.Classes]int // contacts
	rows  [runs.Classes]extsort.Chain
}

// Read begins to read the entries; before is what the run before left.
func (f *File) Read(before state.Turns) *Reader {
	return f.read(before, func(s *segment) int64 { return s.turn })
}

// Sorted begins to read the entries class by class, in the order of the user ids.
func (f *File) Sorted() *Reader {
	return f.read(state.Turns{}, func(*segment) int64 { return 0 })
}

// read begins each class where begin says, and comes to what is before that at its end.
func (f *File) read(before state.Turns, begin func(*segment) int64) *Reader {
	counts := f.Counts()
	var calls [runs.Classes]int
	r := &Reader{}
	for class := range runs.Classes {
		r.left[class], calls[class] = counts[class].Contacts, counts[class].Calls
		rows := &r.rows[class].Parts
		for _, p := range f.parts {
			s := &p.segments[class]
			*rows = append(*rows, s.rows.Rows(begin(s), s.rows.Position()))
		}
		for _, p := range f.parts {
			s := &p.segments[class]
			*rows = append(*rows, s.rows.Rows(0, begin(s)))
		}
	}
	r.turns = newTurns(before, calls)
	return r
}

// Next returns the next entry, or io.EOF. It is the caller's to keep.
func (r *Reader) Next() (*Entry, error) {
	e := &Entry{}
	if err := r.NextInto(e); err != nil {
		return nil, err
	}
	return e, nil
}

// NextInto is Next for who needs an entry no longer than until the next one: its lists are used
// again.
func (r *Reader) NextInto(e *Entry) error {
	class := r.turns.next(r.left)
	if class == runs.Classes {
		return io.EOF
	}
	userID, payload, ok := r.rows[class].Next()
	if err := r.rows[class].Err(); err != nil {
		return err
	}
	if !ok { // it has to be there
		return errEntry
	}
	e.UserID, e.Class, e.Size = userID, class, len(userID)+len(payload)
	if err := e.Decode(payload); err != nil {
		return err
	}
	r.left[class]--
	r.turns.took(e.Calls())
	return nil
}
