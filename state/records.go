package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"sync"

	"go.etcd.io/bbolt"
)

// sliceSize is how much of the records is copied while the file is open: little
// enough that a commit of another process never waits for long.
const sliceSize = 4 << 20

// Records reads records in the order of the user ids. It copies them slice by slice, so
// the file is free in between; what a commit writes meanwhile is seen or not, each record
// as a whole.
type Records struct {
	s      *Store
	bucket []byte
	to     []byte // the first id that is not read any more, nil: none is too great
	count  *recordCount

	buf     []byte // the present slice: uvarint length, id, uvarint length, record …
	rest    []byte // what is left of it
	last    []byte // the last id that was copied, or the one to begin with
	begun   bool
	ended   bool
	err     error
	read    uint64
	present struct{ userID, record []byte }
}

// recordCount sees that readers of all records together find as many as there are.
type recordCount struct {
	mu           sync.Mutex
	open         int // readers that have not come to their end
	read         uint64
	fewest, most uint64 // that the file held meanwhile
}

// Records returns a reader before the first record.
func (s *Store) Records() *Records { return s.RecordRanges(nil)[0] }

// RecordsOf calls fn with the record of each of some contacts, an empty one of those that are not
// known. It is valid until fn returns.
func RecordsOf(s *Store, userIDs [][]byte, fn func(i int, known *Record)) error {
	if !s.Exists() { // then nobody is known
		for i := range userIDs {
			fn(i, &Record{})
		}
		return nil
	}
	return s.read(func(tx *bbolt.Tx) error {
		records := tx.Bucket(bucketRecords)
		for i, id := range userIDs {
			var known Record
			if sealed := records.Get(id); sealed != nil {
				if err := known.unseal(id, sealed); err != nil {
					return damaged(err)
				}
			}
			fn(i, &known)
		}
		return nil
	})
}

// RecordRanges returns readers that share all records: up to the first of the bounds,
// which come in order, from there up to the next, and so on. Each may be used by a
// goroutine of its own. That records are missing is found by the last one to end.
func (s *Store) RecordRanges(bounds [][]byte) []*Records { return newRecords(s, bucketRecords, bounds) }

// SaidRanges is [Store.RecordRanges] for what change exports said: the readers return
// the binary forms of [Said].
func (s *Store) SaidRanges(bounds [][]byte) []*Records {
	return newRecords(s, bucketChanges, bounds)
}

func newRecords(s *Store, bucket []byte, bounds [][]byte) []*Records {
	count := &recordCount{open: len(bounds) + 1, fewest: math.MaxUint64}
	all := make([]*Records, count.open)
	var from []byte
	for i := range all {
		all[i] = &Records{s: s, bucket: bucket, count: count, last: from, ended: !s.Exists()}
		if i < len(bounds) {
			all[i].to, from = bounds[i], bounds[i]
		}
	}
	return all
}

// Next goes to the next record and reports whether there is one.
func (r *Records) Next() bool {
	if len(r.rest) == 0 {
		if r.ended || r.err != nil {
			return false
		}
		if r.err = r.s.read(r.fill); r.err != nil || len(r.rest) == 0 {
			return false
		}
	}
	r.present.userID, r.rest = cutBytes(r.rest)
	r.present.record, r.rest = cutBytes(r.rest)
	return true
}

// UserID returns the current record's user id. It is valid until [Records.Next].
func (r *Records) UserID() []byte { return r.present.userID }

// Record returns the binary form of the current record, for [Record.Decode]. It is
// valid until [Records.Next].
func (r *Records) Record() []byte { return r.present.record }

// Err returns the error that ended the reading.
func (r *Records) Err() error { return r.err }

// fill copies the next slice.
func (r *Records) fill(tx *bbolt.Tx) error {
	bucket := tx.Bucket(r.bucket)
	if bucket == nil { // nothing was ever put into it
		r.ended = true
		return nil
	}
	r.count.see(bucket.Sequence())
	if r.buf == nil { // so that it does not grow step by step
		r.buf = make([]byte, 0, min(sliceSize, tx.Size()))
	}
	c := bucket.Cursor()
	k, v := c.Seek(r.last)
	if r.begun && bytes.Equal(k, r.last) {
		k, v = c.Next()
	}
	b, before := r.buf[:0], r.last
	for ; k != nil && (r.to == nil || bytes.Compare(k, r.to) < 0); k, v = c.Next() {
		if len(b) > 0 && len(b)+len(k)+len(v) > sliceSize {
			r.last = bytes.Clone(before)
			r.buf, r.rest = b, b
			return nil
		}
		if r.begun && bytes.Compare(k, before) <= 0 {
			return errors.New("the records are not in order")
		}
		v, err := unseal(k, v)
		if err != nil {
			return err
		}
		b = binary.AppendUvarint(b, uint64(len(k)))
		b = append(b, k...)
		b = binary.AppendUvarint(b, uint64(len(v)))
		b = append(b, v...)
		before, r.begun = k, true
		r.read++
	}
	r.buf, r.rest, r.ended = b, b, true
	if !r.count.end(r.read) {
		return errCount
	}
	return nil
}

// see takes note of how many records the file holds now.
func (c *recordCount) see(records uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fewest, c.most = min(c.fewest, records), max(c.most, records)
}

// end takes note of how many a reader found, and reports whether all of them can be
// right.
func (c *recordCount) end(read uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read += read
	c.open--
	return c.open > 0 || c.fewest <= c.read && c.read <= c.most
}

func cutBytes(b []byte) (item, rest []byte) {
	size, n := binary.Uvarint(b)
	return b[n : n+int(size)], b[n+int(size):]
}
