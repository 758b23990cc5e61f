package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"go.etcd.io/bbolt"

	"gleapsync/internal/attr"
)

// Unanswered is what a call said, or was about to say, of one contact whose answer no
// commit told: Gleap has these values, or those of the record.
type Unanswered struct {
	UserID     []byte
	Attributes []Change
}

// Announced is a contact whose calls are to begin.
type Announced struct {
	Unanswered
	Fields []byte // contact fields; the record knows no more what Gleap has of them
}

// remove takes out what is answered, or is about to be sent again.
func (u *Unanswered) remove(attributes []Change) {
	u.Attributes = slices.DeleteFunc(u.Attributes, func(c Change) bool {
		return slices.ContainsFunc(attributes, func(other Change) bool { return other.ID == c.ID })
	})
}

// readUnanswered returns all that is unanswered in the order of the user ids: of a run that
// goes on, and what is left of those that were killed or cut off.
func readUnanswered(tx *bbolt.Tx) ([]Unanswered, error) {
	return decodeUnanswered(bytes.Clone(get(tx.Bucket(bucketMeta), keyUnanswered)))
}

// answer takes out what a delivery answers, and writes which calls may begin now. All is one
// value, since it changes as a whole with each commit.
func answer(tx *bbolt.Tx, d Delivery) error {
	all, err := readUnanswered(tx)
	if err != nil {
		return damaged(err)
	}
	find := func(userID []byte) *Unanswered {
		i, ok := slices.BinarySearchFunc(all, userID, func(u Unanswered, id []byte) int { return bytes.Compare(u.UserID, id) })
		if !ok {
			return new(Unanswered)
		}
		return &all[i]
	}
	for _, ack := range d.Acks {
		if !d.Assumed {
			find(ack.UserID).remove(ack.Attributes)
		}
	}
	for _, userID := range d.NotTaken {
		find(userID).Attributes = nil
	}
	for _, a := range d.Announced {
		if err := announce(tx, a); err != nil {
			return err
		}
		all = append(all, a.Unanswered)
	}
	slices.SortStableFunc(all, func(a, b Unanswered) int { return bytes.Compare(a.UserID, b.UserID) })
	for i := 1; i < len(all); i++ {
		if before, u := &all[i-1], &all[i]; bytes.Equal(before.UserID, u.UserID) { // left by another run
			before.remove(u.Attributes)
			u.Attributes = append(u.Attributes, before.Attributes...)
			before.Attributes = nil
		}
	}
	return putUnanswered(tx, slices.DeleteFunc(all, func(u Unanswered) bool { return len(u.Attributes) == 0 }))
}

// announce takes out of the file what is not known any more once a contact's calls begin:
// what Gleap has of the fields in them, and that it refuses the contact.
func announce(tx *bbolt.Tx, a Announced) error {
	parked := tx.Bucket(bucketParked)
	if sealed := parked.Get(a.UserID); sealed != nil {
		var p Parked
		if err := getJSON(a.UserID, sealed, &p); err != nil {
			return damaged(err)
		}
		p.Wanted = 0
		if err := putJSON(parked, a.UserID, p); err != nil {
			return err
		}
	}
	if len(a.Fields) == 0 {
		return nil
	}
	records := tx.Bucket(bucketRecords)
	sealed := records.Get(a.UserID)
	if sealed == nil {
		return nil
	}
	var record Record
	if err := record.unseal(a.UserID, sealed); err != nil {
		return damaged(err)
	}
	before := len(record.Fields)
	record.Fields = slices.DeleteFunc(record.Fields, func(f FieldHash) bool { return bytes.IndexByte(a.Fields, f.Field) >= 0 })
	if len(record.Fields) == before {
		return nil
	}
	return put(records, a.UserID, record.append(nil))
}

func putUnanswered(tx *bbolt.Tx, all []Unanswered) error {
	meta := tx.Bucket(bucketMeta)
	if len(all) == 0 {
		return remove(meta, keyUnanswered)
	}
	var b []byte
	for _, u := range all {
		b = binary.AppendUvarint(b, uint64(len(u.UserID)))
		b = append(b, u.UserID...)
		b = binary.AppendUvarint(b, uint64(len(u.Attributes)))
		for _, c := range u.Attributes {
			b = binary.AppendUvarint(b, uint64(c.ID))
			b = c.Value.Append(b)
		}
	}
	return put(meta, keyUnanswered, b)
}

var errUnanswered = errors.New("the values without an answer cannot be decoded")

// decodeUnanswered reads what putUnanswered wrote. The texts of the values are parts of b.
func decodeUnanswered(b []byte) ([]Unanswered, error) {
	var all []Unanswered
	for len(b) > 0 {
		var u Unanswered
		n, rest, ok := cutUvarint(b)
		if !ok || n > uint64(len(rest)) {
			return nil, errUnanswered
		}
		u.UserID, b = rest[:n:n], rest[n:]
		if n, b, ok = cutUvarint(b); !ok || n > uint64(len(b)) {
			return nil, errUnanswered
		}
		u.Attributes = make([]Change, 0, n)
		for range n {
			id, rest, ok := cutUvarint(b)
			if !ok || id > 1<<31 {
				return nil, errUnanswered
			}
			v, rest, err := attr.Cut(rest)
			if err != nil {
				return nil, errUnanswered
			}
			u.Attributes, b = append(u.Attributes, Change{uint32(id), v}), rest
		}
		if len(all) > 0 && bytes.Compare(all[len(all)-1].UserID, u.UserID) >= 0 {
			return nil, errUnanswered
		}
		all = append(all, u)
	}
	return all, nil
}
