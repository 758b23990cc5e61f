package state

import (
	"encoding/binary"
	"errors"
	"slices"

	"go.etcd.io/bbolt"

	"gleapsync/internal/attr"
)

// Said is the newest that change exports said of one contact. Unlike a [Record] it says
// nothing of Gleap.
type Said struct {
	Attributes []Newest    // in the order of their ids
	Fields     []FieldTime // in the order of the fields
}

// Newest is the newest change of an attribute.
type Newest struct {
	ID       uint32 // of the attribute
	At       int64  // what the change itself says, in nanoseconds since 1970
	Value    attr.Value
	Messages []uint64 // hashes of the messages that were counted last, so that none counts twice
	// Tried is set if a run had another value to send. Gleap may have it, even if there is no
	// record: the run may have been killed between the call and the commit.
	Tried bool
}

// FieldTime says how old a contact field is. Its text is not stored.
type FieldTime struct {
	Field byte
	At    int64
}

// triedFlag is the bit for [Newest.Tried] beside the number of messages.
const triedFlag = 0x80

// maxMessages is how many messages of an attribute are remembered.
const maxMessages = 8

// Add takes one change in, in the order in which they are read: the newest counts, of
// equally new ones the one that was read last, and a message that was counted does not
// count again. A message of 0 has no id. The value's text is kept, not copied.
func (c *Said) Add(id uint32, at int64, message uint64, value attr.Value) {
	i, ok := slices.BinarySearchFunc(c.Attributes, id, func(n Newest, id uint32) int { return int(n.ID) - int(id) })
	if !ok {
		c.Attributes = slices.Insert(c.Attributes, i, Newest{ID: id, At: at, Value: value})
	}
	n := &c.Attributes[i]
	if message != 0 {
		if slices.Contains(n.Messages, message) {
			return
		}
		if len(n.Messages) >= maxMessages {
			n.Messages = slices.Clone(n.Messages[1:])
		}
		n.Messages = append(n.Messages, message)
	}
	if at >= n.At {
		n.At, n.Value = at, value
	}
}

// AddField takes the time of a contact field in, and reports whether none is newer.
func (c *Said) AddField(field byte, at int64) bool {
	i, ok := slices.BinarySearchFunc(c.Fields, field, func(f FieldTime, field byte) int { return int(f.Field) - int(field) })
	if !ok {
		c.Fields = slices.Insert(c.Fields, i, FieldTime{field, at})
	}
	if at < c.Fields[i].At {
		return false
	}
	c.Fields[i].At = at
	return true
}

// Append appends the binary form of c, as docs/state-format.md has it.
func (c *Said) Append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(c.Attributes)))
	last := uint32(0)
	for _, n := range c.Attributes {
		dst = binary.AppendUvarint(dst, uint64(n.ID-last))
		dst = binary.BigEndian.AppendUint64(dst, uint64(n.At))
		dst = n.Value.Append(dst)
		flags := byte(len(n.Messages))
		if n.Tried {
			flags |= triedFlag
		}
		dst = append(dst, flags)
		for _, m := range n.Messages {
			dst = binary.BigEndian.AppendUint64(dst, m)
		}
		last = n.ID
	}
	for _, f := range c.Fields {
		dst = append(dst, f.Field)
		dst = binary.BigEndian.AppendUint64(dst, uint64(f.At))
	}
	return dst
}

var errSaid = errors.New("the changes of a contact cannot be decoded")

// Decode reads the binary form. The texts of the values are parts of b, and the slices of
// c are reused.
func (c *Said) Decode(b []byte) error {
	*c = Said{Attributes: c.Attributes[:0], Fields: c.Fields[:0]}
	n, b, ok := cutUvarint(b)
	if !ok {
		return errSaid
	}
	id := uint64(0)
	for i := range n {
		step, rest, ok := cutUvarint(b)
		if id += step; !ok || step == 0 && i > 0 || step > 1<<31 || id > 1<<31 || len(rest) < 8 {
			return errSaid
		}
		newest := Newest{ID: uint32(id), At: int64(binary.BigEndian.Uint64(rest))}
		var err error
		if newest.Value, rest, err = attr.Cut(rest[8:]); err != nil || len(rest) == 0 {
			return errSaid
		}
		messages := int(rest[0] &^ triedFlag)
		newest.Tried = rest[0]&triedFlag != 0
		if b = rest[1:]; messages > maxMessages || len(b) < 8*messages {
			return errSaid
		}
		for ; messages > 0; messages-- {
			newest.Messages = append(newest.Messages, binary.BigEndian.Uint64(b))
			b = b[8:]
		}
		c.Attributes = append(c.Attributes, newest)
	}
	for ; len(b) >= 9; b = b[9:] {
		c.Fields = append(c.Fields, FieldTime{b[0], int64(binary.BigEndian.Uint64(b[1:]))})
	}
	if len(b) > 0 {
		return errSaid
	}
	return nil
}

// Absorbed is what is to be stored of a contact: the binary form of a [Said].
type Absorbed struct {
	UserID []byte
	Said   []byte
}

// AbsorbChanges stores what change exports said, in one transaction. The file must exist.
func (s *Store) AbsorbChanges(said []Absorbed) error {
	return s.update(func(tx *bbolt.Tx) error {
		changes, err := lateBucket(tx, bucketChanges, formatWithChanges)
		if err != nil {
			return err
		}
		changes.FillPercent = 0.9 // the first time they come in order
		for _, c := range said {
			if err := put(changes, c.UserID, slices.Clip(c.Said)); err != nil {
				return err
			}
		}
		return nil
	})
}
