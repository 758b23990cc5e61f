package state

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"

	"go.etcd.io/bbolt"
)

// sliceSize is how much of the records is copied while the file is open: little
// enough that a commit of another process never waits for long.
const sliceSize = 4 << 20

// Records reads all records in the order of the user ids. It copies them slice by
// slice, so the file is free in between; what a commit writes meanwhile is seen or
// not, each record as a whole.
type Records struct {
	s     *Store
	buf   []byte // one slice: uvarint length, id, uvarint length, record …
	slice []byte // what is left of it
	last  []byte // the last id of the slice
	ended bool
	err   error

	read         uint64
	fewest, most uint64 // that the file held meanwhile

	userID, record []byte
}

// Records returns a reader before the first record.
func (s *Store) Records() *Records {
	return &Records{s: s, ended: !s.Exists(), fewest: math.MaxUint64}
}

// Next goes to the next record and reports whether there is one.
func (r *Records) Next() bool {
	if len(r.slice) == 0 {
		if r.ended || r.err != nil || !r.fill() {
			return false
		}
	}
	r.userID, r.slice = cutBytes(r.slice)
	r.record, r.slice = cutBytes(r.slice)
	return true
}

// UserID returns the current record's user id. It is valid until [Records.Next].
func (r *Records) UserID() []byte { return r.userID }

// Record returns the binary form of the current record, for [Record.Decode]. It is
// valid until [Records.Next].
func (r *Records) Record() []byte { return r.record }

// Err returns the error that ended the reading.
func (r *Records) Err() error { return r.err }

func (r *Records) fill() bool {
	buf := r.buf[:0]
	r.err = r.s.view(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bucketRecords)
		r.fewest, r.most = min(r.fewest, bucket.Sequence()), max(r.most, bucket.Sequence())
		c := bucket.Cursor()
		k, v := c.Seek(r.last)
		if r.last != nil && bytes.Equal(k, r.last) {
			k, v = c.Next()
		}
		for ; k != nil; k, v = c.Next() {
			if len(buf) > 0 && len(buf)+len(k)+len(v) > sliceSize {
				return nil
			}
			if r.last != nil && bytes.Compare(k, r.last) <= 0 {
				return r.s.damaged(errors.New("the records are not in order"))
			}
			v, err := unseal(k, v)
			if err != nil {
				return r.s.damaged(err)
			}
			buf = binary.AppendUvarint(buf, uint64(len(k)))
			buf = append(buf, k...)
			buf = binary.AppendUvarint(buf, uint64(len(v)))
			buf = append(buf, v...)
			r.last = append(r.last[:0], k...)
			r.read++
		}
		r.ended = true
		if r.read < r.fewest || r.read > r.most {
			return r.s.damaged(errCount)
		}
		return nil
	})
	r.buf, r.slice = buf, buf
	return r.err == nil && len(buf) > 0
}

func cutBytes(b []byte) (item, rest []byte) {
	size, n := binary.Uvarint(b)
	return b[n : n+int(size)], b[n+int(size):]
}

// ErrNotFound is returned for a contact that has no record.
var ErrNotFound = errors.New("no record")

// Record returns the record of one contact, or [ErrNotFound].
func (s *Store) Record(userID string) (Record, error) {
	var sealed []byte
	if s.Exists() && userID != "" {
		if err := s.view(func(tx *bbolt.Tx) error {
			sealed = bytes.Clone(tx.Bucket(bucketRecords).Get([]byte(userID)))
			return nil
		}); err != nil {
			return Record{}, err
		}
	}
	if sealed == nil {
		return Record{}, ErrNotFound
	}
	var record Record
	if err := record.unseal([]byte(userID), sealed); err != nil {
		return Record{}, s.damaged(err)
	}
	return record, nil
}

// Parked returns the parked contacts in the order of their ids.
func (s *Store) Parked() ([]Parked, error) {
	var parked []Parked
	if !s.Exists() {
		return nil, nil
	}
	err := s.view(func(tx *bbolt.Tx) error {
		if err := each(tx.Bucket(bucketParked), func(id, text []byte) error {
			var p Parked
			if err := json.Unmarshal(text, &p); err != nil {
				return err
			}
			p.UserID = string(id)
			parked = append(parked, p)
			return nil
		}); err != nil {
			return s.damaged(err)
		}
		return nil
	})
	return parked, err
}
