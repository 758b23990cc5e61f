package state

import (
	"bytes"
	"cmp"
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
// slice, one ahead of what is asked for, so the file is free in between; what a commit
// writes meanwhile is seen or not, each record as a whole.
type Records struct {
	slices chan slice
	quit   chan struct{}
	buf    []byte // what is left of the present slice
	err    error

	userID, record []byte
}

// slice is a part of the records: uvarint length, id, uvarint length, record …
type slice struct {
	buf []byte
	err error
}

// Records returns a reader before the first record. The caller closes it.
func (s *Store) Records() *Records {
	r := &Records{slices: make(chan slice), quit: make(chan struct{})}
	reader := &sliceReader{s: s, fewest: math.MaxUint64, ended: !s.Exists()}
	go reader.run(r)
	return r
}

// Close ends the reading.
func (r *Records) Close() {
	close(r.quit)
	for range r.slices {
	}
}

// Next goes to the next record and reports whether there is one.
func (r *Records) Next() bool {
	if len(r.buf) == 0 {
		next := <-r.slices // nothing once all was read
		r.buf, r.err = next.buf, cmp.Or(r.err, next.err)
		if len(r.buf) == 0 {
			return false
		}
	}
	r.userID, r.buf = cutBytes(r.buf)
	r.record, r.buf = cutBytes(r.buf)
	return true
}

// UserID returns the current record's user id. It is valid until [Records.Next].
func (r *Records) UserID() []byte { return r.userID }

// Record returns the binary form of the current record, for [Record.Decode]. It is
// valid until [Records.Next].
func (r *Records) Record() []byte { return r.record }

// Err returns the error that ended the reading.
func (r *Records) Err() error { return r.err }

// sliceReader reads slices for a Records.
type sliceReader struct {
	s     *Store
	bufs  [2][]byte // one is read from while the other is written
	last  []byte    // the last id that was read
	ended bool

	read         uint64
	fewest, most uint64 // that the file held meanwhile
}

func (r *sliceReader) run(to *Records) {
	defer close(to.slices)
	for n := 0; !r.ended; n = (n + 1) % len(r.bufs) {
		r.bufs[n] = r.bufs[n][:0]
		err := r.fill(&r.bufs[n])
		part := slice{r.bufs[n], err}
		if err != nil {
			part.buf, r.ended = nil, true
		}
		select {
		case to.slices <- part:
		case <-to.quit:
			return
		}
	}
}

func (r *sliceReader) fill(buf *[]byte) error {
	return r.s.view(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bucketRecords)
		r.fewest, r.most = min(r.fewest, bucket.Sequence()), max(r.most, bucket.Sequence())
		c := bucket.Cursor()
		k, v := c.Seek(r.last)
		if r.last != nil && bytes.Equal(k, r.last) {
			k, v = c.Next()
		}
		b := *buf
		if b == nil { // so that it does not grow step by step
			b = make([]byte, 0, min(sliceSize, tx.Size()))
		}
		for ; k != nil; k, v = c.Next() {
			if len(b) > 0 && len(b)+len(k)+len(v) > sliceSize {
				*buf = b
				return nil
			}
			if r.last != nil && bytes.Compare(k, r.last) <= 0 {
				return r.s.damaged(errors.New("the records are not in order"))
			}
			v, err := unseal(k, v)
			if err != nil {
				return r.s.damaged(err)
			}
			b = binary.AppendUvarint(b, uint64(len(k)))
			b = append(b, k...)
			b = binary.AppendUvarint(b, uint64(len(v)))
			b = append(b, v...)
			r.last = append(r.last[:0], k...)
			r.read++
		}
		*buf, r.ended = b, true
		if r.read < r.fewest || r.read > r.most {
			return r.s.damaged(errCount)
		}
		return nil
	})
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
