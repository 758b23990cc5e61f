package state

import (
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Begin prepares the file for a run's acknowledgements: it creates the file if
// there is none, stores the attributes with the ids they have, and raises the
// resync epoch to epoch.
//
// For an attribute that comes with Applied.AsOf, the run is about to deliver data of
// that time. Until [Store.Finish] says that it did, no export counts as applied as a
// whole, and older data are out of date.
func (s *Store) Begin(attributes []Attribute, epoch uint64, pace []byte) error {
	if err := s.ensure(); err != nil {
		return err
	}
	return s.update(func(tx *bbolt.Tx) error {
		for _, a := range attributes {
			known, err := readAttribute(tx, a.ID)
			if err != nil {
				return err
			}
			if known.Key != "" && known.Key != a.Key {
				return damaged(fmt.Errorf("attribute %d is %s, not %s", a.ID, known.Key, a.Key))
			}
			known.Key, known.Kind, known.Name, known.Retired = a.Key, a.Kind, a.Name, a.Retired
			if a.Type != "" {
				known.Type = a.Type
			}
			if a.Computation != nil {
				known.Computation = a.Computation
			}
			if !a.Applied.AsOf.IsZero() {
				known.Applied.Fingerprint, known.Applied.List = "", ""
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

// SetTold stores which Gleap is told, and in which forms contacts were told booleans, in forms
// of the caller's. What is nil stays.
func (s *Store) SetTold(gleap, booleans []byte) error {
	return s.update(func(tx *bbolt.Tx) error {
		return errors.Join(putMeta(tx, keyGleap, gleap), putMeta(tx, keyBooleans, booleans))
	})
}

// Result is what a run leaves when it ends.
type Result struct {
	Run      string             // id
	Report   []byte             // JSON
	Applied  map[uint32]Applied // what was applied as a whole, by attribute id
	Resynced uint64             // the epoch that every record has by now, 0: not known
	Unpark   []string           // the contacts of whom nothing is wanted any more
	Pace     []byte             // nil: as before
	Files    []DoneFile         // all that need not be read again; nil: as before
	History  []byte             // of all runs so far, in a form of the caller's; nil: as before
	Turns    *Turns             // what is left over; nil: as before
	Fields   []byte             // all contact fields that were delivered as a whole; nil: as before
	ListEnds map[string]bool    // lists of known contacts that ended with a line break; nil: as before
}

// Finish stores a run's result. It creates the file if there is none.
func (s *Store) Finish(r Result) error {
	if err := s.ensure(); err != nil {
		return err
	}
	return s.update(func(tx *bbolt.Tx) error {
		for _, id := range r.Unpark {
			if err := remove(tx.Bucket(bucketParked), []byte(id)); err != nil {
				return err
			}
		}
		if len(r.Unpark) > 0 { // those of this run come after it
			if err := dropLists(tx); err != nil {
				return err
			}
		}
		for id, applied := range r.Applied {
			a, err := readAttribute(tx, id)
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
		if err := errors.Join(putFiles(tx, r.Files), putMeta(tx, keyPace, r.Pace), putMeta(tx, keyHistory, r.History), putTurns(tx, r.Turns), putMeta(tx, keyFields, r.Fields), putListEnds(tx, r.ListEnds)); err != nil {
			return err
		}
		if err := remove(tx.Bucket(bucketMeta), keyDelivered); err != nil {
			return err
		}
		return putRun(tx, r.Run, r.Report)
	})
}
