package rowlist

import "errors"

// WriteError is one of writing a list, and not of reading what goes into it.
type WriteError struct{ error }

// Unwrap returns what went wrong.
func (e WriteError) Unwrap() error { return e.error }

func writing(err error) error {
	if err != nil {
		err = WriteError{err}
	}
	return err
}

// NotesOf returns [Row.Notes] of a user, and whether the list must not have the user. before is the
// row in the list before if that says the same, else nil. It is asked in the order of the user ids.
type NotesOf func(userID []byte, before *Row) (notes Notes, leaveOut bool, err error)

// trimShare is what share of a list is worth being left out.
const trimShare = 32

// Write writes the list of the rows of now. before is the id of the list that they were compared
// with, "" if there is none. An error leaves no list. It reports whether [Trim] is worth while.
func Write(state string, h Header, now *Rows, before string, notesOf NotesOf) (trims bool, err error) {
	to, err := Create(state, h)
	if err != nil {
		return false, writing(err)
	}
	defer func() {
		if err != nil {
			to.Discard()
		}
	}()
	add := func(row, before *Row) error {
		notes, leaveOut, err := notesOf(row.UserID, before)
		if err != nil || leaveOut {
			return err
		}
		return writing(to.Add(Row{UserID: row.UserID, Print: row.Print, Notes: notes}))
	}
	if before == "" {
		for row := now.Next(); row != nil; row = now.Next() {
			if err := add(row, nil); err != nil {
				return false, err
			}
		}
		err = now.Err()
	} else {
		err = writeChanged(state, to, now, before, add)
	}
	if err != nil {
		return false, err
	}
	return to.spare > to.size/trimShare, writing(to.Close())
}

// Trim writes a list anew under another id, which it returns, once the records have what the rows
// said: all notes go but those that say [Nothing], and those of contacts of whom that is not so.
// The list stays as it is, also after an error.
func Trim(state, id string, isUnsettled func(userID []byte) bool) (trimmed string, err error) {
	list, err := Open(state, id)
	if err != nil {
		return "", err
	}
	defer list.Close()
	h := list.Header
	h.ID = NewID()
	to, err := Create(state, h)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			to.Discard()
		}
	}()
	for row := list.Next(); row != nil; row = list.Next() {
		if !isUnsettled(row.UserID) {
			row.Notes = row.Notes.Nothing()
		}
		if err := to.Add(*row); err != nil {
			return "", err
		}
	}
	if err := list.Err(); err != nil {
		return "", err
	}
	return h.Name(), to.Close()
}

func writeChanged(state string, to *Writer, now *Rows, before string, add func(row, before *Row) error) error {
	list, err := Open(state, before)
	if err != nil {
		return writing(err)
	}
	defer list.Close()
	err = Compare(list, now, func(_, row *Row) error {
		if row == nil {
			return nil
		}
		return add(row, nil)
	}, func(row *Row) error { return add(row, row) })
	if errors.Is(err, ErrDamaged) { // it was sound when they were compared
		return writing(err)
	}
	return err
}
