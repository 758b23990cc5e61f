package inputs

import "gleapsync/internal/rowlist"

// former is what the lists of rows say of a contact.
type former struct {
	differs []uint32             // by export: the mark, if the rows are other ones than before
	before  []uint32             // by export: the mark, if there were any
	any     uint32               // the mark, if there were any of some export
	notes   []said[rowlist.Said] // by attribute id
}

// Counts reports whether anything of an export counts for the contact: not in a delta export, of
// one whose rows are as before.
func (w *Wanted) Counts(e *Input) bool {
	return e.delta.some == nil || w.former.differs[e.Index] == w.now
}

// HadRows reports whether the list of some export had rows of the contact.
func (w *Wanted) HadRows() bool { return w.former.any == w.now }

// HadRowsIn reports whether the list of an export had rows of the contact.
func (w *Wanted) HadRowsIn(e *Input) bool { return w.former.before[e.Index] == w.now }

// Noted returns what a list has noted of an attribute of the contact.
func (w *Wanted) Noted(id uint32) (s rowlist.Said, ok bool) {
	n := &w.former.notes[id]
	return n.value, n.mark == w.now
}

// cutDelta takes what a sorter has of a delta export, and reports whether it is a row that counts.
// Who differs is said before the first row of a user.
func (w *Wanted) cutDelta(e *Input, row []byte) (rest []byte, counts bool) {
	if len(row) == 0 {
		return nil, w.Counts(e) // it is no row, and whoever reads it says so
	}
	what, row := row[0], row[1:]
	if what == deltaRow {
		return row, w.Counts(e)
	}
	w.former.differs[e.Index] = w.now
	if what == deltaKnown {
		w.former.before[e.Index], w.former.any = w.now, w.now
	}
	for note, rest, ok := rowlist.CutNote(row); ok; note, rest, ok = rowlist.CutNote(rest) {
		if int(note.ID) < len(w.former.notes) {
			w.former.notes[note.ID] = said[rowlist.Said]{note.Said, w.now}
		}
	}
	return nil, false
}
