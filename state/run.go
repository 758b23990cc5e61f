package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// keepRuns is how many run reports the file keeps.
const keepRuns = 500

// Overview is all that the file holds except records, runs and parked contacts.
type Overview struct {
	Created    time.Time
	Epoch      uint64 // of the last resync that was asked for
	Resynced   uint64 // of the last resync that was completed
	Attributes []Attribute
	Parked     int
	Forgotten  int  // contacts that are never to be created again
	Deletions  int  // forgotten contacts that Gleap may still have
	Erased     bool // free pages may still hold something of forgotten contacts
	// Events that are due, and those that Gleap refused.
	DueEvents, ParkedEvents int
	Bytes                   int64
	Pace                    []byte // what the client's pacer left for the next one; nil: nothing
	History                 []byte // what the last run left in [Result.History]; nil: nothing
	Properties              []byte // what was left last in [Tracked.Properties]; nil: nothing
	Booleans                []byte // what [Store.SetBooleans] left; nil: nothing
	Turns                   Turns  // what is left over of the last run, and how far it came
	// Fields are the contact fields that were delivered as a whole. In a file that does not
	// say so, nil, these are all if an export with fields was.
	Fields []byte
}

// putMeta stores a value; nil stands for the one that is there.
func putMeta(tx *bbolt.Tx, key, value []byte) error {
	if value == nil {
		return nil
	}
	return put(tx.Bucket(bucketMeta), key, value)
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
		o.Created, _ = time.Parse(time.RFC3339, string(get(meta, keyCreated)))
		o.Parked = int(tx.Bucket(bucketParked).Sequence())
		o.Forgotten = int(tx.Bucket(bucketForgotten).Sequence())
		o.Erased = get(meta, keyErased) != nil
		owed, err := readDeletions(tx)
		if err != nil {
			return s.damaged(err)
		}
		o.Deletions = len(owed)
		o.DueEvents, o.ParkedEvents = entries(tx, bucketEvents), entries(tx, bucketParkedEvents)
		for _, name := range [][]byte{bucketEvents, bucketParkedEvents} {
			if b := tx.Bucket(name); b != nil && (entries(tx, name) == 0) != isEmpty(b) {
				return s.damaged(errCount)
			}
		}
		o.Bytes = tx.Size()
		o.Pace, o.History = bytes.Clone(get(meta, keyPace)), bytes.Clone(get(meta, keyHistory))
		o.Properties = bytes.Clone(get(meta, keyProperties))
		o.Booleans = bytes.Clone(get(meta, keyBooleans))
		o.Fields = bytes.Clone(get(meta, keyFields))
		if o.Turns, err = readTurns(tx); err != nil {
			return s.damaged(err)
		}
		o.Attributes, err = s.attributes(tx)
		return err
	})
	return o, err
}

func isEmpty(b *bbolt.Bucket) bool {
	first, _ := b.Cursor().First()
	return first == nil
}

// entries returns how many entries a bucket has that not all files have.
func entries(tx *bbolt.Tx, name []byte) int {
	if b := tx.Bucket(name); b != nil {
		return int(b.Sequence())
	}
	return 0
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
		for _, a := range attributes {
			known, err := s.attribute(tx, a.ID)
			if err != nil {
				return err
			}
			if known.Key != "" && known.Key != a.Key {
				return s.damaged(fmt.Errorf("attribute %d is %s, not %s", a.ID, known.Key, a.Key))
			}
			known.Key, known.Kind, known.Name, known.Retired = a.Key, a.Kind, a.Name, a.Retired
			if a.Type != "" {
				known.Type = a.Type
			}
			if a.Computation != nil {
				known.Computation = a.Computation
			}
			if !a.Applied.AsOf.IsZero() {
				known.Applied.Fingerprint = ""
				if a.Applied.AsOf.After(known.Applied.AsOf) || known.Applied.AsOf.After(time.Now()) {
					known.Applied.AsOf = a.Applied.AsOf
				}
			}
			if err := putAttribute(tx, known); err != nil {
				return err
			}
		}
		if meta := tx.Bucket(bucketMeta); getUint(meta, keyEpoch) < epoch {
			if err := putUint(meta, keyEpoch, epoch); err != nil {
				return err
			}
		}
		return putMeta(tx, keyPace, pace)
	})
}

// SetBooleans stores in which forms contacts were told booleans, in a form of the caller's.
func (s *Store) SetBooleans(text []byte) error {
	return s.update(func(tx *bbolt.Tx) error { return putMeta(tx, keyBooleans, text) })
}

// Result is what a run leaves when it ends.
type Result struct {
	Run      string             // id
	Report   []byte             // JSON
	Applied  map[uint32]Applied // what was applied as a whole, by attribute id
	Resynced uint64             // the epoch that every record has by now, 0: not known
	Unpark   []string           // the contacts of whom nothing is wanted any more
	Pace     []byte             // nil: as before
	Files    []File             // the whole ledger; nil: as before
	History  []byte             // of all runs so far, in a form of the caller's; nil: as before
	Turns    *Turns             // what is left over; nil: as before
	Fields   []byte             // all contact fields that were delivered as a whole; nil: as before
}

// Finish stores a run's result. It creates the file if there is none.
func (s *Store) Finish(r Result) error {
	if !s.Exists() {
		if err := s.create(); err != nil {
			return err
		}
	}
	return s.update(func(tx *bbolt.Tx) error {
		for id, applied := range r.Applied {
			a, err := s.attribute(tx, id)
			if err != nil {
				return err
			}
			a.Applied = applied
			if err := putAttribute(tx, a); err != nil {
				return err
			}
		}
		if meta := tx.Bucket(bucketMeta); r.Resynced > getUint(meta, keyResynced) {
			if err := putUint(meta, keyResynced, r.Resynced); err != nil {
				return err
			}
		}
		for _, id := range r.Unpark {
			if err := remove(tx.Bucket(bucketParked), []byte(id)); err != nil {
				return err
			}
		}
		if err := errors.Join(putFiles(tx, r.Files), putMeta(tx, keyPace, r.Pace), putMeta(tx, keyHistory, r.History), putTurns(tx, r.Turns), putMeta(tx, keyFields, r.Fields)); err != nil {
			return err
		}
		return putRun(tx, r.Run, r.Report)
	})
}

// putRun stores a report and deletes the oldest above the number that is kept.
func putRun(tx *bbolt.Tx, run string, report []byte) error {
	runs := tx.Bucket(bucketRuns)
	if err := put(runs, []byte(run), report); err != nil {
		return err
	}
	var ids [][]byte
	if err := runs.ForEach(func(id, _ []byte) error { ids = append(ids, bytes.Clone(id)); return nil }); err != nil {
		return err
	}
	for _, oldest := range ids[:max(0, len(ids)-keepRuns)] {
		if err := remove(runs, oldest); err != nil {
			return err
		}
	}
	return nil
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
			report, err := unseal(k, v)
			if err != nil {
				return s.damaged(err)
			}
			reports = append(reports, bytes.Clone(report))
		}
		return nil
	})
	return reports, err
}

// RunsBefore returns stored reports of the runs before the one with that id, the latest
// first: as many as size bytes hold, and one at least if there is one. No id stands for that
// of a run to come. From last the caller can go on; it is empty if nothing is left.
func (s *Store) RunsBefore(id string, size int) (reports []json.RawMessage, last string, err error) {
	if !s.Exists() {
		return nil, "", nil
	}
	err = s.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketRuns).Cursor()
		k, v := c.Last()
		if id != "" {
			if next, _ := c.Seek([]byte(id)); next != nil {
				k, v = c.Prev()
			} else {
				k, v = c.Last()
			}
		}
		for ; k != nil; k, v = c.Prev() {
			if size -= len(v); size < 0 && len(reports) > 0 {
				return nil
			}
			report, err := unseal(k, v)
			if err != nil {
				return s.damaged(err)
			}
			reports, last = append(reports, bytes.Clone(report)), string(k)
		}
		last = ""
		return nil
	})
	return reports, last, err
}

// Run returns the stored report of one run, nil if there is none.
func (s *Store) Run(id string) (report json.RawMessage, err error) {
	if !s.Exists() || id == "" {
		return nil, nil
	}
	err = s.view(func(tx *bbolt.Tx) error {
		sealed := tx.Bucket(bucketRuns).Get([]byte(id))
		if sealed == nil {
			return nil
		}
		text, err := unseal([]byte(id), sealed)
		if err != nil {
			return s.damaged(err)
		}
		report = bytes.Clone(text)
		return nil
	})
	return report, err
}
