package rowlist

import (
	"bytes"
	"encoding/binary"

	"gleapsync/internal/extsort"

	"github.com/zeebo/xxh3"
)

// Rows goes over the prints of a snapshot's rows, sorted by user id: for each user one print,
// that of all rows together and in their order.
type Rows struct {
	sorted  extsort.Stream
	ahead   bool // userID and print are those of a row that was read already
	userID  []byte
	print   []byte
	err     error
	present Row
	several []byte // the prints of a user with several rows
}

// NewRows returns what goes over sorted rows, the payload of each being its print.
func NewRows(sorted extsort.Stream) *Rows { return &Rows{sorted: sorted} }

// Next returns the next user, nil at the end and after an error. It is valid until Next is called
// again.
func (r *Rows) Next() *Row {
	if !r.ahead && !r.read() {
		return nil
	}
	r.ahead = false
	p := &r.present
	p.UserID = append(p.UserID[:0], r.userID...)
	copy(p.Print[:], r.print)
	r.several = r.several[:0]
	for r.read() {
		if !bytes.Equal(r.userID, p.UserID) {
			r.ahead = true
			break
		}
		if len(r.several) == 0 {
			r.several = append(r.several, p.Print[:]...)
		}
		r.several = append(r.several, r.print...)
	}
	if len(r.several) > 0 { // one print of as many rows is another one
		r.several = binary.AppendUvarint(r.several, uint64(len(r.several)))
		p.Print = xxh3.Hash128(r.several).Bytes()
	}
	if r.err != nil {
		return nil
	}
	return p
}

func (r *Rows) read() bool {
	var ok bool
	r.userID, r.print, ok = r.sorted.Next()
	if !ok {
		r.err = r.sorted.Err()
	}
	if ok && len(r.print) != len(r.present.Print) {
		r.err, ok = extsort.ErrTemp, false
	}
	return ok
}

// Err returns the error that ended the rows.
func (r *Rows) Err() error { return r.err }

// Compare calls differs with each user of whom the list before and the rows of now do not say the
// same, in the order of the user ids: before is nil for who is new, now for who has vanished. same
// is called with each other one; it may be nil. An error means that nothing of it counts.
func Compare(before *Reader, now *Rows, differs func(before, now *Row) error, same func(before *Row) error) error {
	b, n := before.Next(), now.Next()
	for b != nil || n != nil {
		order := 0
		switch {
		case b == nil:
			order = 1
		case n == nil:
			order = -1
		default:
			order = bytes.Compare(b.UserID, n.UserID)
		}
		var err error
		switch {
		case order < 0:
			err = differs(b, nil)
		case order > 0:
			err = differs(nil, n)
		case b.Print != n.Print:
			err = differs(b, n)
		case same != nil:
			err = same(b)
		}
		if err != nil {
			return err
		}
		if order <= 0 {
			b = before.Next()
		}
		if order >= 0 {
			n = now.Next()
		}
	}
	if err := now.Err(); err != nil {
		return err
	}
	return before.Err()
}
