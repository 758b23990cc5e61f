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

// Unsaid says of a user what is new in a list: [Row.Unsaid], and whether the list must not have
// the user. It is asked in the order of the user ids.
type Unsaid func(userID []byte) (ids []uint32, leaveOut bool, err error)

// Write writes the list of the rows of now. With the id of the list that they were compared with,
// not "", users who do not differ are taken from that. An error leaves no list.
func Write(state string, h Header, now *Rows, before string, unsaid Unsaid) (err error) {
	to, err := Create(state, h)
	if err != nil {
		return writing(err)
	}
	defer func() {
		if err != nil {
			to.Discard()
		}
	}()
	add := func(row *Row) error {
		ids, leaveOut, err := unsaid(row.UserID)
		if err != nil || leaveOut {
			return err
		}
		return writing(to.Add(Row{UserID: row.UserID, Print: row.Print, Unsaid: ids}))
	}
	if before == "" {
		for row := now.Next(); row != nil; row = now.Next() {
			if err := add(row); err != nil {
				return err
			}
		}
		err = now.Err()
	} else {
		err = writeChanged(state, to, now, before, add)
	}
	if err != nil {
		return err
	}
	return writing(to.Close())
}

func writeChanged(state string, to *Writer, now *Rows, before string, add func(*Row) error) error {
	list, err := Open(state, before)
	if err != nil {
		return writing(err)
	}
	defer list.Close()
	err = Compare(list, now, func(_, row *Row) error {
		if row == nil {
			return nil
		}
		return add(row)
	}, func(row *Row) error { return writing(to.Add(*row)) })
	if errors.Is(err, ErrDamaged) { // it was sound when they were compared
		return writing(err)
	}
	return err
}
