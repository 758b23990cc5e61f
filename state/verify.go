package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// Verification says what a file that was read as a whole holds.
type Verification struct {
	Contacts     int `json:"contacts"`
	Attributes   int `json:"attributes"`
	Parked       int `json:"parked"`
	Forgotten    int `json:"forgotten"`
	Deletions    int `json:"deletions,omitempty"` // forgotten contacts that Gleap may still have
	Runs         int `json:"runs"`
	Events       int `json:"events"`        // that are due
	ParkedEvents int `json:"parked_events"` // that Gleap refused
}

// Verify reads the whole file: bbolt checks its pages, and everything in it is decoded.
// The error names the first thing that is wrong. Hold [Store.Lock], since a commit
// would have to wait for it.
func Verify(s *Store) (Verification, error) {
	var v Verification
	if !s.Exists() {
		return v, errNoFile(s)
	}
	options := &bbolt.Options{ReadOnly: true, PreLoadFreelist: true, Timeout: readTimeout}
	return v, s.keeper.explain(s.do(options, (*bbolt.DB).View, func(tx *bbolt.Tx) error {
		if err := checkPages(tx, true); err != nil {
			return damaged(err)
		}
		sound := true
		for range tx.Check() { // it ends only when all was taken; what it says would name user ids
			sound = false
		}
		if !sound {
			return damaged(errPages)
		}
		return damaged(verify(tx, &v))
	}))
}

// verify decodes everything in the file.
func verify(tx *bbolt.Tx, v *Verification) error {
	attributes, err := readAttributes(tx)
	if err != nil {
		return err
	}
	known := map[uint32]bool{}
	for _, a := range attributes {
		known[a.ID] = true
		if !a.Gone() {
			v.Attributes++
		}
	}
	if err := verifyRecords(tx, v, attributes, known); err != nil {
		return err
	}
	if err := each(tx.Bucket(bucketParked), func(_, text []byte) error {
		v.Parked++
		return json.Unmarshal(text, new(Parked))
	}); err != nil {
		return fmt.Errorf("a parked contact cannot be decoded: %w", err)
	}
	var said Said
	if err := each(tx.Bucket(bucketChanges), func(_, b []byte) error {
		if err := said.Decode(b); err != nil {
			return err
		}
		if !bytes.Equal(said.Append(nil), b) {
			return errSaid
		}
		return nil
	}); err != nil {
		return err
	}
	if err := each(tx.Bucket(bucketFiles), func(_, text []byte) error { return json.Unmarshal(text, new(DoneFile)) }); err != nil {
		return err
	}
	if err := verifyEvents(tx, v); err != nil {
		return err
	}
	if _, err := readTurns(tx); err != nil {
		return err
	}
	unanswered, err := readUnanswered(tx)
	if err != nil {
		return err
	}
	for _, u := range unanswered {
		if slices.ContainsFunc(u.Attributes, func(c Change) bool { return !known[c.ID] }) {
			return errUnanswered
		}
	}
	forgotten, err := readForgotten(tx)
	if err != nil {
		return err
	}
	v.Forgotten, v.Deletions = len(forgotten.hashes), len(forgotten.Owed)
	return each(tx.Bucket(bucketRuns), func(id, text []byte) error {
		if v.Runs++; !json.Valid(text) {
			return fmt.Errorf("the report of run %s cannot be decoded", id)
		}
		return nil
	})
}

// verifyRecords decodes the records, and counts the members of the attributes again.
func verifyRecords(tx *bbolt.Tx, v *Verification, attributes []Attribute, known map[uint32]bool) error {
	counted := newTally(attributes)
	epoch := getUint(tx.Bucket(bucketMeta), keyEpoch)
	var record Record
	if err := each(tx.Bucket(bucketRecords), func(_, b []byte) error {
		v.Contacts++
		if err := record.Decode(b); err != nil {
			return err
		}
		if record.Epoch > epoch || !bytes.Equal(record.append(nil), b) {
			return errRecord
		}
		for _, k := range record.Attributes {
			if !known[k.ID] {
				return fmt.Errorf("a record has the attribute %d, which is not there", k.ID)
			}
			counted.add(k.ID, k.Value, 1)
		}
		return nil
	}); err != nil {
		return err
	}
	for _, a := range attributes {
		if n := counted.change[a.ID]; n != a.Members {
			return fmt.Errorf("%s has %d members, and %d are counted", a.Key, a.Members, n)
		}
	}
	return nil
}
