package state

import (
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Parked is a contact whose call Gleap refused for good.
type Parked struct {
	UserID   string    `json:"-"`
	Status   int       `json:"status"` // of the answer, in HTTP
	Reason   string    `json:"reason"` // without data
	Attempts int       `json:"attempts"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Wanted   uint64    `json:"wanted,string"` // a hash of what was refused
}

// Parked returns the parked contacts in the order of their ids.
func (s *Store) Parked() ([]Parked, error) {
	var parked []Parked
	err := s.read(func(tx *bbolt.Tx) error {
		return each(tx.Bucket(bucketParked), func(id, text []byte) error {
			var p Parked
			if err := json.Unmarshal(text, &p); err != nil {
				return err
			}
			p.UserID = string(id)
			parked = append(parked, p)
			return nil
		})
	})
	return parked, err
}

// park parks contacts. One that was parked before keeps since when, and its attempts are counted.
func park(tx *bbolt.Tx, parked []Parked) error {
	bucket := tx.Bucket(bucketParked)
	for _, p := range parked {
		var before Parked
		p.First, p.Attempts = p.Last, 1
		if old := bucket.Get([]byte(p.UserID)); old != nil {
			if err := getJSON([]byte(p.UserID), old, &before); err != nil {
				return damaged(err)
			}
			p.First, p.Attempts = before.First, before.Attempts+1
		}
		if err := putJSON(bucket, []byte(p.UserID), p); err != nil {
			return err
		}
	}
	return nil
}

// Unparkable counts what [Unpark] would unpark, and changes nothing.
func Unparkable(s *Store, userIDs ...string) (contacts, events int, err error) {
	if !s.Exists() {
		return 0, 0, errNoFile(s)
	}
	err = s.read(func(tx *bbolt.Tx) error {
		if len(userIDs) == 0 {
			contacts, events = entries(tx, bucketParked), entries(tx, bucketParkedEvents)
		}
		for _, id := range userIDs {
			parked, ofEvents := tx.Bucket(bucketParked), len(eventKeys(tx.Bucket(bucketParkedEvents), []byte(id)))
			switch {
			case id != "" && parked != nil && parked.Get([]byte(id)) != nil:
				contacts++
			case ofEvents == 0:
				return notParked(id)
			}
			events += ofEvents
		}
		return nil
	})
	return contacts, events, err
}

func notParked(id string) error {
	return fmt.Errorf("the contact %q is not parked: see gleapsync inspect parked, and gleapsync inspect events for parked events", id)
}

// Unpark ends the parking of the given contacts and of their events, or of all if none is
// given, and has every export read again by the next run. It returns how many there were.
// A contact that is not parked and has no parked events is an error, and then none is
// unparked. Hold [Store.Lock].
func Unpark(s *Store, userIDs ...string) (contacts, events int, err error) {
	if !s.Exists() {
		return 0, 0, errNoFile(s)
	}
	err = s.update(func(tx *bbolt.Tx) error {
		parked := tx.Bucket(bucketParked)
		if len(userIDs) == 0 {
			if err := parked.ForEach(func(id, _ []byte) error { userIDs = append(userIDs, string(id)); return nil }); err != nil {
				return err
			}
			if events, err = unparkEvents(tx, nil); err != nil {
				return damaged(err)
			}
		}
		for _, id := range userIDs {
			ofEvents, err := unparkEvents(tx, []byte(id))
			if err != nil {
				return damaged(err)
			}
			events += ofEvents
			switch {
			case id != "" && parked.Get([]byte(id)) != nil:
				contacts++
			case ofEvents == 0:
				return notParked(id)
			default:
				continue
			}
			if err := remove(parked, []byte(id)); err != nil {
				return err
			}
		}
		if contacts == 0 {
			return nil
		}
		attributes, err := readAttributes(tx)
		if err != nil {
			return err
		}
		for _, a := range attributes {
			a.Applied.Fingerprint, a.Applied.List = "", ""
			if err := putAttribute(tx, a); err != nil {
				return err
			}
		}
		return nil
	})
	return contacts, events, err
}
