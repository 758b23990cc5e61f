package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// keepRuns is how many run reports the file keeps.
const keepRuns = 500

// KindTrait is the kind of an attribute that holds a trait's value; every other is an
// audience's.
const KindTrait = "trait"

// Attribute is one attribute of the project's contacts, as the file knows it.
type Attribute struct {
	ID      uint32  `json:"-"`
	Key     string  `json:"key"`
	Kind    string  `json:"kind"`
	Name    string  `json:"name"`
	Members int     `json:"members"` // contacts for which Gleap acknowledged true or a value
	Applied Applied `json:"applied,omitzero"`
}

// Applied says which export Gleap acknowledged as a whole, for one attribute.
type Applied struct {
	Fingerprint string    `json:"fingerprint"`
	AsOf        time.Time `json:"as_of"` // of the data
	At          time.Time `json:"at"`    // when the last call was acknowledged
	Members     int       `json:"members"`
	HasFields   bool      `json:"has_fields"` // contact fields came along
}

// Overview is all that the file holds but for records, runs and parked contacts.
type Overview struct {
	Created    time.Time
	Epoch      uint64 // of the last resync that was asked for
	Resynced   uint64 // of the last resync that was completed
	Attributes []Attribute
	Parked     int
	Bytes      int64
	Pace       []byte // what the client's pacer left for the next one; nil: nothing
}

func putPace(tx *bbolt.Tx, pace []byte) error {
	if pace == nil {
		return nil
	}
	return tx.Bucket(bucketMeta).Put(keyPace, pace)
}

// Overview reads the file's overview. An empty store has the epoch 1.
func (s *Store) Overview() (Overview, error) {
	o := Overview{Epoch: 1}
	if !s.Exists() {
		return o, nil
	}
	err := s.view(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		o.Epoch, o.Resynced = getUint(meta, keyEpoch), getUint(meta, keyResynced)
		o.Created, _ = time.Parse(time.RFC3339, string(meta.Get(keyCreated)))
		o.Parked = tx.Bucket(bucketParked).Stats().KeyN
		o.Bytes = tx.Size()
		o.Pace = bytes.Clone(meta.Get(keyPace))
		var err error
		o.Attributes, err = s.attributes(tx)
		return err
	})
	return o, err
}

// Begin prepares the file for a run's acknowledgements: it creates the file if
// there is none, stores the attributes with the ids they have, and raises the
// resync epoch to epoch.
//
// For an attribute that comes with Applied.AsOf, the run is about to deliver data of
// that time. Until [Store.Finish] says that it did, no export counts as applied as a
// whole, and older data are out of date.
func (s *Store) Begin(attributes []Attribute, epoch uint64, pace []byte) error {
	if !s.Exists() {
		if err := s.create(); err != nil {
			return err
		}
	}
	return s.update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bucketAttributes)
		for _, a := range attributes {
			key := attributeKey(a.ID)
			var known Attribute
			if old := bucket.Get(key); old != nil {
				if err := json.Unmarshal(old, &known); err != nil {
					return s.damaged(err)
				}
				if known.Key != a.Key {
					return s.damaged(fmt.Errorf("attribute %d is %s, not %s", a.ID, known.Key, a.Key))
				}
			}
			known.Key, known.Kind, known.Name = a.Key, a.Kind, a.Name
			if !a.Applied.AsOf.IsZero() {
				known.Applied.Fingerprint = ""
				if a.Applied.AsOf.After(known.Applied.AsOf) {
					known.Applied.AsOf = a.Applied.AsOf
				}
			}
			if err := putJSON(bucket, key, known); err != nil {
				return err
			}
		}
		if meta := tx.Bucket(bucketMeta); getUint(meta, keyEpoch) < epoch {
			if err := putUint(meta, keyEpoch, epoch); err != nil {
				return err
			}
		}
		return putPace(tx, pace)
	})
}

// Finish stores a run's report and, by attribute id, what was applied as a whole.
// resynced is the epoch that every record has by now, 0 if that is not known. Nothing
// is wanted any more of the contacts in unpark.
func (s *Store) Finish(run string, report []byte, applied map[uint32]Applied, resynced uint64, unpark []string, pace []byte) error {
	if !s.Exists() {
		if err := s.create(); err != nil {
			return err
		}
	}
	return s.update(func(tx *bbolt.Tx) error {
		attributes := tx.Bucket(bucketAttributes)
		for id, a := range applied {
			key := attributeKey(id)
			var known Attribute
			if err := json.Unmarshal(attributes.Get(key), &known); err != nil {
				return s.damaged(fmt.Errorf("attribute %d: %w", id, err))
			}
			known.Applied = a
			if err := putJSON(attributes, key, known); err != nil {
				return err
			}
		}
		if meta := tx.Bucket(bucketMeta); resynced > getUint(meta, keyResynced) {
			if err := putUint(meta, keyResynced, resynced); err != nil {
				return err
			}
		}
		if err := putPace(tx, pace); err != nil {
			return err
		}
		for _, id := range unpark {
			if err := tx.Bucket(bucketParked).Delete([]byte(id)); err != nil {
				return err
			}
		}
		runs := tx.Bucket(bucketRuns)
		if err := runs.Put([]byte(run), report); err != nil {
			return err
		}
		var ids [][]byte
		if err := runs.ForEach(func(id, _ []byte) error { ids = append(ids, bytes.Clone(id)); return nil }); err != nil {
			return err
		}
		for _, oldest := range ids[:max(0, len(ids)-keepRuns)] {
			if err := runs.Delete(oldest); err != nil {
				return err
			}
		}
		return nil
	})
}

// Runs returns the stored reports of the last n runs, the latest first. Run ids
// sort by the time of their start.
func (s *Store) Runs(n int) ([]json.RawMessage, error) {
	var reports []json.RawMessage
	if !s.Exists() {
		return nil, nil
	}
	err := s.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketRuns).Cursor()
		for k, v := c.Last(); k != nil && len(reports) < n; k, v = c.Prev() {
			reports = append(reports, append(json.RawMessage(nil), v...))
		}
		return nil
	})
	return reports, err
}

// Run returns the stored report of one run, nil if there is none.
func (s *Store) Run(id string) (report json.RawMessage, err error) {
	if !s.Exists() || id == "" {
		return nil, nil
	}
	err = s.view(func(tx *bbolt.Tx) error {
		report = append(report, tx.Bucket(bucketRuns).Get([]byte(id))...)
		return nil
	})
	return report, err
}
