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
	Fields     []byte // the contact fields, without their texts
}

func (u Unanswered) empty() bool { return len(u.Attributes)+len(u.Fields) == 0 }

// remove takes out what is answered, or is about to be sent again.
func (u *Unanswered) remove(attributes []Change, fields []byte) {
	u.Attributes = slices.DeleteFunc(u.Attributes, func(c Change) bool {
		return slices.ContainsFunc(attributes, func(other Change) bool { return other.ID == c.ID })
	})
	u.Fields = slices.DeleteFunc(u.Fields, func(f byte) bool { return bytes.IndexByte(fields, f) >= 0 })
}

// Unanswered returns all of it in the order of the user ids: some of what a run that goes on
// sends, and what is left of runs that were killed or cut off.
func (s *Store) Unanswered() (all []Unanswered, err error) {
	if !s.Exists() {
		return nil, nil
	}
	err = s.view(func(tx *bbolt.Tx) error {
		stored := bytes.Clone(get(tx.Bucket(bucketMeta), keyUnanswered))
		if all, err = decodeUnanswered(stored); err != nil {
			return s.damaged(err)
		}
		return nil
	})
	return all, err
}

// answer takes out what a delivery answers, and writes which calls may be begun now. All is
// one value, since it changes as a whole with each commit.
func answer(tx *bbolt.Tx, d Delivery) error {
	stored := get(tx.Bucket(bucketMeta), keyUnanswered)
	all, err := decodeUnanswered(bytes.Clone(stored))
	if err != nil {
		return err
	}
	find := func(userID []byte) *Unanswered {
		i, ok := slices.BinarySearchFunc(all, userID, func(u Unanswered, id []byte) int { return bytes.Compare(u.UserID, id) })
		if !ok {
			return new(Unanswered)
		}
		return &all[i]
	}
	for _, ack := range d.Acks {
		fields := make([]byte, len(ack.Fields))
		for i, f := range ack.Fields {
			fields[i] = f.Field
		}
		find(ack.UserID).remove(ack.Attributes, fields)
	}
	for _, userID := range d.NotSent {
		u := find(userID)
		u.Attributes, u.Fields = nil, nil
	}
	all = append(all, d.Begin...)
	slices.SortStableFunc(all, func(a, b Unanswered) int { return bytes.Compare(a.UserID, b.UserID) })
	for i := 1; i < len(all); i++ {
		if before, u := &all[i-1], &all[i]; bytes.Equal(before.UserID, u.UserID) { // left by another run
			before.remove(u.Attributes, u.Fields)
			u.Attributes, u.Fields = append(u.Attributes, before.Attributes...), append(u.Fields, before.Fields...)
			before.Attributes, before.Fields = nil, nil
		}
	}
	return putUnanswered(tx, slices.DeleteFunc(all, Unanswered.empty))
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
		b = binary.AppendUvarint(b, uint64(len(u.Fields)))
		b = append(b, u.Fields...)
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
		if n, b, ok = cutUvarint(b); !ok || n > uint64(len(b)) {
			return nil, errUnanswered
		}
		u.Fields, b = b[:n:n], b[n:]
		all = append(all, u)
	}
	return all, nil
}
