package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// NewEvents is what event exports said.
type NewEvents struct {
	Events   []Event  // that are due from now on, best in the order of their contacts' ids
	Messages []uint64 // hashes of the messages that were read, for [Store.Remembered]
	// Files are all that need not be read again, nil as long as more of them is to come.
	Files []DoneFile
	// Properties is what is known of the events' properties, in a form of the caller's; nil: as
	// before.
	Properties []byte
	// Forget is a time: messages that were read before it are forgotten. Zero: none.
	Forget time.Time
}

// AbsorbEvents stores what event exports said, in one transaction. The file must exist.
func (s *Store) AbsorbEvents(t NewEvents) error {
	return s.update(func(tx *bbolt.Tx) error {
		if _, err := lateBucket(tx, bucketEvents, formatWithEvents); err != nil {
			return err
		}
		if err := putEvents(tx, t.Events); err != nil {
			return err
		}
		if err := rememberMessages(tx, t.Messages, t.Forget); err != nil {
			return err
		}
		return errors.Join(putFiles(tx, t.Files), putMeta(tx, keyProperties, t.Properties))
	})
}

// rememberMessages stores messages under the present time, and forgets those from before another.
func rememberMessages(tx *bbolt.Tx, messages []uint64, before time.Time) error {
	b, err := lateBucket(tx, bucketMessages, formatWithEvents)
	if err != nil {
		return err
	}
	if !before.IsZero() {
		var old [][]byte
		c := b.Cursor()
		for k, _ := c.First(); k != nil && bytes.Compare(k, timeKey(before)) < 0; k, _ = c.Next() {
			old = append(old, bytes.Clone(k))
		}
		for _, key := range old {
			if err := remove(b, key); err != nil {
				return err
			}
		}
	}
	if len(messages) == 0 {
		return nil
	}
	at := time.Now()
	for b.Get(timeKey(at)) != nil {
		at = at.Add(1)
	}
	messages = slices.Clone(messages)
	slices.Sort(messages)
	value := make([]byte, 0, 8*len(messages)+sealSize)
	for _, m := range messages {
		value = binary.BigEndian.AppendUint64(value, m)
	}
	return put(b, timeKey(at), value)
}

func timeKey(t time.Time) []byte { return binary.BigEndian.AppendUint64(nil, uint64(t.UnixNano())) }

// Remembered returns which of the messages were read before, and not forgotten since.
func (s *Store) Remembered(messages []uint64) (map[uint64]bool, error) {
	found := map[uint64]bool{}
	if len(messages) == 0 {
		return found, nil
	}
	messages = slices.Clone(messages)
	slices.Sort(messages)
	err := s.read(func(tx *bbolt.Tx) error {
		return each(tx.Bucket(bucketMessages), func(_, value []byte) error {
			if len(value)%8 != 0 {
				return errEvent
			}
			for _, m := range messages {
				for len(value) > 0 && binary.BigEndian.Uint64(value) < m {
					value = value[8:]
				}
				if len(value) == 0 {
					break
				}
				if binary.BigEndian.Uint64(value) == m {
					found[m] = true
				}
			}
			return nil
		})
	})
	return found, err
}
