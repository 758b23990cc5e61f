package state

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"gleapsync/internal/attr"
)

// Record is what Gleap last acknowledged of one contact.
type Record struct {
	Acknowledged int64  // of the last call, in seconds since 1970
	Epoch        uint64 // of the resync that the contact took part in last
	Attributes   []Known
	Fields       []FieldHash
}

// Known is an attribute that Gleap acknowledged.
type Known struct {
	ID    uint32 // of the attribute, see [Attribute]
	At    int64  // when, in seconds since 1970
	Value attr.Value
}

// FieldHash stands for a contact field that Gleap acknowledged. Contact fields
// are personal data: the file has them only as keyed hashes.
type FieldHash struct {
	Field byte
	Hash  [8]byte
}

// Find returns the attribute of that id; its kind is None if there is none.
func (r *Record) Find(id uint32) Known {
	if i, ok := r.search(id); ok {
		return r.Attributes[i]
	}
	return Known{}
}

func (r *Record) search(id uint32) (int, bool) {
	if n := len(r.Attributes); n == 0 || r.Attributes[n-1].ID < id { // as for a new contact, whose attributes come in order
		return n, false
	}
	return slices.BinarySearchFunc(r.Attributes, id, func(k Known, id uint32) int { return int(k.ID) - int(id) })
}

// set puts an acknowledged attribute into the record.
func (r *Record) set(k Known) {
	i, ok := r.search(k.ID)
	if ok {
		r.Attributes[i] = k
	} else {
		r.Attributes = slices.Insert(r.Attributes, i, k)
	}
}

func (r *Record) setField(f FieldHash) {
	if i := slices.IndexFunc(r.Fields, func(had FieldHash) bool { return had.Field == f.Field }); i >= 0 {
		r.Fields[i] = f
	} else {
		r.Fields = append(r.Fields, f)
	}
}

// append appends the binary form of r, as docs/state-format.md has it. The
// attributes must be in the order of their ids.
func (r *Record) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(r.Acknowledged))
	dst = binary.AppendUvarint(dst, r.Epoch)
	dst = binary.AppendUvarint(dst, uint64(len(r.Attributes)))
	last := uint32(0)
	for _, k := range r.Attributes {
		dst = binary.AppendUvarint(dst, uint64(k.ID-last))
		dst = binary.AppendUvarint(dst, uint64(max(0, r.Acknowledged-k.At)))
		dst = k.Value.Append(dst)
		last = k.ID
	}
	for _, f := range r.Fields {
		dst = append(dst, f.Field)
		dst = append(dst, f.Hash[:]...)
	}
	return dst
}

// unseal decodes a record as the file holds it.
func (r *Record) unseal(userID, sealed []byte) error {
	b, err := unseal(userID, sealed)
	if err != nil {
		return err
	}
	return r.Decode(b)
}

var errRecord = errors.New("a record cannot be decoded")

// Decode reads the binary form of a record. The texts of its values are parts of
// b, and its slices are reused.
func (r *Record) Decode(b []byte) error {
	*r = Record{Attributes: r.Attributes[:0], Fields: r.Fields[:0]}
	acknowledged, b, ok1 := cutUvarint(b)
	epoch, b, ok2 := cutUvarint(b)
	n, b, ok3 := cutUvarint(b)
	if !ok1 || !ok2 || !ok3 || acknowledged > 1<<40 {
		return errRecord
	}
	r.Acknowledged, r.Epoch = int64(acknowledged), epoch
	id := uint64(0)
	for i := range n {
		step, rest, ok := cutUvarint(b)
		age, rest, ok2 := cutUvarint(rest)
		if !ok || !ok2 || step == 0 && i > 0 || step > 1<<31 || id+step > 1<<31 || age > acknowledged {
			return errRecord
		}
		id += step
		v, rest, err := attr.Cut(rest)
		if err != nil {
			return fmt.Errorf("%w: %w", errRecord, err)
		}
		r.Attributes = append(r.Attributes, Known{uint32(id), int64(acknowledged - age), v})
		b = rest
	}
	for ; len(b) >= 9; b = b[9:] {
		r.Fields = append(r.Fields, FieldHash{b[0], [8]byte(b[1:9])})
	}
	if len(b) > 0 {
		return errRecord
	}
	return nil
}

// cutUvarint takes only the shortest form, so that a record has one encoding.
func cutUvarint(b []byte) (uint64, []byte, bool) {
	if len(b) > 0 && b[0] < 0x80 { // most are small
		return uint64(b[0]), b[1:], true
	}
	return cutLongUvarint(b)
}

func cutLongUvarint(b []byte) (uint64, []byte, bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 || n > 1 && b[n-1] == 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

// FieldHash returns the hash that stands for a contact field's text in this file.
func (s *Store) FieldHash(field byte, text []byte) FieldHash {
	mac := hmac.New(sha256.New, s.salt)
	mac.Write([]byte{field})
	mac.Write(text)
	return FieldHash{field, [8]byte(mac.Sum(nil))}
}
