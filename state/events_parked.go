package state

import (
	"bytes"
	"encoding/json"
	"time"

	"go.etcd.io/bbolt"
)

// ParkedEvent is an event that Gleap refused for good.
type ParkedEvent struct {
	Event
	Status int       // of the answer, in HTTP
	Reason string    // without data
	Last   time.Time // when it was tried
}

// parkedEvent is the form in which the file has a [ParkedEvent].
type parkedEvent struct {
	Status int             `json:"status"`
	Reason string          `json:"reason"`
	Last   time.Time       `json:"last"`
	Event  json.RawMessage `json:"event"`
}

// ParkedEvents returns the parked events in the order of their contacts' ids.
func (s *Store) ParkedEvents() ([]ParkedEvent, error) {
	var all []ParkedEvent
	err := s.read(func(tx *bbolt.Tx) error {
		return each(tx.Bucket(bucketParkedEvents), func(key, text []byte) error {
			e, err := decodeParkedEvent(key, text)
			all = append(all, e)
			return err
		})
	})
	return all, err
}

func decodeParkedEvent(key, text []byte) (ParkedEvent, error) {
	var stored parkedEvent
	var e ParkedEvent
	if err := json.Unmarshal(text, &stored); err != nil {
		return e, err
	}
	e.Status, e.Reason, e.Last, e.JSON = stored.Status, stored.Reason, stored.Last, stored.Event
	return e, e.decodeKey(key)
}

// parkedOf returns the parked events whose keys have a prefix.
func parkedOf(b *bbolt.Bucket, prefix []byte) (all []ParkedEvent, err error) {
	if b == nil {
		return nil, nil
	}
	c := b.Cursor()
	for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		text, err := unseal(k, v)
		if err != nil {
			return nil, err
		}
		e, err := decodeParkedEvent(k, text)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// unparkEvents makes the parked events of a contact due again, or of all contacts for nil,
// and returns how many there were.
func unparkEvents(tx *bbolt.Tx, userID []byte) (int, error) {
	var prefix []byte
	if userID != nil {
		prefix = contactPrefix(userID)
	}
	b := tx.Bucket(bucketParkedEvents)
	parked, err := parkedOf(b, prefix)
	if err != nil {
		return 0, err
	}
	var again []Event
	for _, e := range parked {
		if err := remove(b, e.key()); err != nil {
			return 0, err
		}
		again = append(again, e.Event)
	}
	return len(again), putEvents(tx, again)
}
