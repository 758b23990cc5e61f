package sync

import (
	"bytes"
	"fmt"

	"gleapsync/state"
)

// What is merged, each in the order of the user ids.
const (
	atRows       = iota // of exports
	atRecords           // of what Gleap acknowledged
	atChanges           // what change exports said before
	atUnanswered        // what Gleap may have
	atParked            // whom Gleap refused
	merged
)

// cursors stand at what is merged, each at the contact that comes next.
type cursors [merged]cursor

// cursor stands at a contact of what is merged.
type cursor struct {
	id       []byte        // of the contact, nil at the end
	advance  func() []byte // returns the next id, nil if there is none
	fail     func() error  // says why there is none; may be nil
	repeats  bool          // one contact may come several times
	disorder error         // what it means if ids do not come in their order
}

// records are those of the state, in the order of the user ids: [*state.Records].
type records interface {
	Next() bool
	UserID() []byte
	Record() []byte
	Err() error
}

func over(r records) cursor {
	return cursor{disorder: state.ErrDamaged, fail: r.Err, advance: func() []byte {
		if !r.Next() {
			return nil
		}
		return r.UserID()
	}}
}

// firstOf goes over a list so that it begins with what the cursor is at.
func firstOf[T any](list *[]T, id func(*T) []byte) (advance func() []byte) {
	begun := false
	return func() []byte {
		if begun {
			*list = (*list)[1:]
		}
		begun = true
		if len(*list) == 0 {
			return nil
		}
		return id(&(*list)[0])
	}
}

// next goes on from a contact, nil at first, and reports whether it comes again.
func (c *cursor) next(userID []byte) (again bool, err error) {
	if c.id = c.advance(); c.id == nil {
		if c.fail != nil {
			err = c.fail()
		}
		return false, err
	}
	order := bytes.Compare(c.id, userID)
	if order < 0 || order == 0 && !c.repeats {
		return false, fmt.Errorf("%w: its user ids are not in their order", c.disorder)
	}
	return order == 0, nil
}

// least returns the least id that a cursor is at, nil if there is none, and which of them are.
func (all *cursors) least() (userID []byte, has [merged]bool) {
	for i := range all {
		id := all[i].id
		if id == nil {
			continue
		}
		order := -1
		if userID != nil {
			order = bytes.Compare(id, userID)
		}
		if order < 0 {
			userID, has = id, [merged]bool{}
		}
		has[i] = order <= 0
	}
	return userID, has
}
