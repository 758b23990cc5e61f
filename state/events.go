package state

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"

	"go.etcd.io/bbolt"
)

// Event is an event that is due: it is to be sent to Gleap, which has not acknowledged it.
type Event struct {
	UserID []byte
	At     int64  // when it happened, in nanoseconds since 1970
	ID     uint64 // tells events of one contact and moment apart
	JSON   []byte // as it is sent
}

// key returns the event's key. Keys sort by user id, then by time.
func (e *Event) key() []byte {
	key := contactPrefix(e.UserID)
	key = binary.BigEndian.AppendUint64(key, uint64(e.At)^1<<63)
	return binary.BigEndian.AppendUint64(key, e.ID)
}

// contactPrefix returns what the keys of a contact's events, and no others, begin with. It
// sorts as the user id does: 00 FF stands for a zero byte, 00 01 for the end.
func contactPrefix(userID []byte) []byte {
	prefix := make([]byte, 0, len(userID)+18)
	for _, b := range userID {
		if prefix = append(prefix, b); b == 0 {
			prefix = append(prefix, 0xff)
		}
	}
	return append(prefix, 0, 1)
}

var errEvent = errors.New("an event cannot be decoded")

// decodeKey sets what the key of an event says.
func (e *Event) decodeKey(key []byte) error {
	n := len(key) - 18
	if n < 1 || key[n] != 0 || key[n+1] != 1 {
		return errEvent
	}
	e.UserID = bytes.ReplaceAll(key[:n], []byte{0, 0xff}, []byte{0})
	e.At = int64(binary.BigEndian.Uint64(key[n+2:]) ^ 1<<63)
	e.ID = binary.BigEndian.Uint64(key[n+10:])
	if !bytes.Equal(e.key(), key) {
		return errEvent
	}
	return nil
}

// decodeEvent decodes an event as the file holds it. Nothing of it is the file's.
func decodeEvent(key, sealed []byte) (e Event, err error) {
	text, err := unseal(key, sealed)
	if err == nil {
		err = e.decodeKey(key)
	}
	e.JSON = bytes.Clone(text)
	return e, err
}

// How much of what is due is copied at a time: little enough that a commit never waits for
// long.
const (
	mostDue      = 10_000
	mostDueBytes = 4 << 20
)

// Due returns some of the events that are due, the first ones behind another one: in the
// order of the user ids, those of a contact in the order of their times. None behind nil
// is before the first. It returns none if there is none.
func (s *Store) Due(behind *Event) ([]Event, error) {
	var due []Event
	err := s.read(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketEvents)
		if b == nil {
			return nil
		}
		c := b.Cursor()
		var from []byte
		if behind != nil {
			from = append(behind.key(), 0)
		} else if !isComplete(b) {
			return errCount
		}
		size := 0
		for k, v := c.Seek(from); k != nil && len(due) < mostDue && size < mostDueBytes; k, v = c.Next() {
			e, err := decodeEvent(k, v)
			if err != nil {
				return err
			}
			due = append(due, e)
			size += len(v)
		}
		return nil
	})
	return due, err
}

// isComplete reports whether a bucket has as many entries as it should.
func isComplete(b *bbolt.Bucket) bool {
	n := uint64(0)
	c := b.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		n++
	}
	return n == b.Sequence()
}

// dueOf adds the events of some contacts to due, up to a limit.
func dueOf(b *bbolt.Bucket, due []Event, userIDs ...[]byte) ([]Event, error) {
	if b == nil || b.Sequence() == 0 {
		return due, nil
	}
	c := b.Cursor()
	size := 0
	for _, id := range userIDs {
		prefix := contactPrefix(id)
		for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix) && len(due) < mostDue && size < mostDueBytes; k, v = c.Next() {
			size += len(v)
			e, err := decodeEvent(k, v)
			if err != nil {
				return due, err
			}
			due = append(due, e)
		}
	}
	return due, nil
}

// putEvents makes events due.
func putEvents(tx *bbolt.Tx, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	b, err := lateBucket(tx, bucketEvents, formatWithEvents)
	if err != nil {
		return err
	}
	b.FillPercent = 0.9 // mostly they come in order
	for _, e := range events {
		if err := put(b, e.key(), slices.Clip(e.JSON)); err != nil {
			return err
		}
	}
	return nil
}

// settle removes the events that Gleap acknowledged and parks those that it refused.
func settle(tx *bbolt.Tx, sent []Event, refused []ParkedEvent) error {
	if len(sent)+len(refused) == 0 {
		return nil
	}
	due, err := lateBucket(tx, bucketEvents, formatWithEvents)
	if err != nil {
		return err
	}
	for _, e := range sent {
		if err := remove(due, e.key()); err != nil {
			return err
		}
	}
	for _, e := range refused {
		parked, err := lateBucket(tx, bucketParkedEvents, formatWithEvents)
		if err != nil {
			return err
		}
		if err := errors.Join(remove(due, e.key()), putJSON(parked, e.key(), parkedEvent{e.Status, e.Reason, e.Last, e.JSON})); err != nil {
			return err
		}
	}
	return nil
}

// Discard removes the events of some contacts, or of all if none is given: those that are
// due and those that are parked, or only the latter. It returns how many there were. Hold
// [Store.Lock].
func Discard(s *Store, parkedOnly bool, userIDs ...string) (int, error) {
	if !s.Exists() {
		return 0, errNoFile(s)
	}
	buckets := [][]byte{bucketEvents, bucketParkedEvents}
	if parkedOnly {
		buckets = buckets[1:]
	}
	n := 0
	err := s.update(func(tx *bbolt.Tx) error {
		for _, name := range buckets {
			before := entries(tx, name)
			for _, id := range userIDs {
				if err := removeEvents(tx, name, []byte(id)); err != nil {
					return err
				}
			}
			if len(userIDs) == 0 && before > 0 {
				if err := tx.DeleteBucket(name); err != nil {
					return err
				}
				if _, err := tx.CreateBucket(name); err != nil {
					return err
				}
			}
			n += before - entries(tx, name)
		}
		return nil
	})
	return n, err
}

// Discardable returns what [Discard] would return, and changes nothing.
func Discardable(s *Store, parkedOnly bool, userIDs ...string) (n int, err error) {
	if !s.Exists() {
		return 0, errNoFile(s)
	}
	buckets := [][]byte{bucketParkedEvents}
	if !parkedOnly {
		buckets = append(buckets, bucketEvents)
	}
	err = s.read(func(tx *bbolt.Tx) error {
		for _, name := range buckets {
			if len(userIDs) == 0 {
				n += entries(tx, name)
			}
			for _, id := range userIDs {
				n += len(eventKeys(tx.Bucket(name), []byte(id)))
			}
		}
		return nil
	})
	return n, err
}

// removeEvents removes the events of a contact from a bucket.
func removeEvents(tx *bbolt.Tx, bucket, userID []byte) error {
	b := tx.Bucket(bucket)
	for _, key := range eventKeys(b, userID) {
		if err := remove(b, key); err != nil {
			return err
		}
	}
	return nil
}

// eventKeys returns the keys of the events of a contact in a bucket, which need not be there.
func eventKeys(b *bbolt.Bucket, userID []byte) (keys [][]byte) {
	if b == nil {
		return nil
	}
	prefix := contactPrefix(userID)
	c := b.Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	return keys
}

// verifyEvents decodes all that the file holds of events.
func verifyEvents(tx *bbolt.Tx, v *Verification) error {
	return errors.Join(
		each(tx.Bucket(bucketEvents), func(key, text []byte) error {
			v.Events++
			if !json.Valid(text) {
				return errEvent
			}
			return new(Event).decodeKey(key)
		}),
		each(tx.Bucket(bucketParkedEvents), func(key, text []byte) error {
			v.ParkedEvents++
			_, err := decodeParkedEvent(key, text)
			return err
		}),
		each(tx.Bucket(bucketMessages), func(key, value []byte) error {
			if len(key) != 8 || len(value)%8 != 0 {
				return errEvent
			}
			return nil
		}),
	)
}
