package state

import (
	"bytes"
	"encoding/binary"

	"go.etcd.io/bbolt"
)

// dropLists has no attribute refer to a list of rows any more, so that its export is read as a
// whole when it changes. Whatever ends the parking of a contact does that too: until then all of its
// rows are read, and no list may stand from before that somebody looked at what else they say.
func dropLists(tx *bbolt.Tx) error {
	attributes, err := readAttributes(tx)
	if err != nil {
		return err
	}
	for _, a := range attributes {
		if a.Applied.List == "" {
			continue
		}
		a.Applied.List = ""
		if err := putAttribute(tx, a); err != nil {
			return err
		}
	}
	return nil
}

// Found reads the records of some contacts, whose ids come in order. As [Records] it copies them
// slice by slice, so that the file is free in between.
type Found struct {
	s       *Store
	ids     func() ([]byte, error) // nil at the end
	buf     []byte                 // uvarint length, id, uvarint length, record ...
	rest    []byte                 // what is left of it
	wanted  [][]byte
	ended   bool
	err     error
	present struct{ userID, record []byte }
}

// FindRecords returns a reader of the records of those contacts that ids returns and that have
// one. An id is the caller's own until ids is called again; nil is the end.
func FindRecords(s *Store, ids func() ([]byte, error)) *Found {
	return &Found{s: s, ids: ids, ended: !s.Exists()}
}

// Next goes to the next record and reports whether there is one.
func (f *Found) Next() bool {
	for len(f.rest) == 0 {
		if f.ended || f.err != nil {
			return false
		}
		if f.err = f.want(); f.err == nil {
			f.err = f.s.read(f.fill)
		}
		if f.err != nil {
			return false
		}
	}
	f.present.userID, f.rest = cutBytes(f.rest)
	f.present.record, f.rest = cutBytes(f.rest)
	return true
}

// UserID is [Records.UserID].
func (f *Found) UserID() []byte { return f.present.userID }

// Record is [Records.Record].
func (f *Found) Record() []byte { return f.present.record }

// Err returns the error that ended the reading.
func (f *Found) Err() error { return f.err }

// want asks for the next ids.
func (f *Found) want() error {
	const some = 1000
	for f.wanted = f.wanted[:0]; len(f.wanted) < some; {
		id, err := f.ids()
		if err != nil {
			return err
		}
		if id == nil {
			f.ended = true
			break
		}
		f.wanted = append(f.wanted, bytes.Clone(id))
	}
	return nil
}

// fill copies their records.
func (f *Found) fill(tx *bbolt.Tx) error {
	records := tx.Bucket(bucketRecords)
	b := f.buf[:0]
	for _, id := range f.wanted {
		sealed := records.Get(id)
		if sealed == nil {
			continue
		}
		record, err := unseal(id, sealed)
		if err != nil {
			return err
		}
		b = binary.AppendUvarint(b, uint64(len(id)))
		b = append(b, id...)
		b = binary.AppendUvarint(b, uint64(len(record)))
		b = append(b, record...)
	}
	f.buf, f.rest = b, b
	return nil
}
