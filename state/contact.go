package state

import (
	"bytes"

	"go.etcd.io/bbolt"
)

// Contact is all that the file holds of one contact.
type Contact struct {
	Record       Record  // the zero Record if Gleap acknowledged nothing
	Said         Said    // by change exports
	Parked       *Parked // nil: the contact is not parked
	Due          []Event // not all of them if they are many
	ParkedEvents []ParkedEvent
	Forgotten    bool
}

// Contact returns what the file holds of one contact.
func (s *Store) Contact(userID string) (c Contact, err error) {
	id := []byte(userID)
	err = s.read(func(tx *bbolt.Tx) error {
		if sealed := bytes.Clone(tx.Bucket(bucketRecords).Get(id)); sealed != nil {
			if err := c.Record.unseal(id, sealed); err != nil {
				return err
			}
		}
		if changes := tx.Bucket(bucketChanges); changes != nil {
			if sealed := bytes.Clone(changes.Get(id)); sealed != nil {
				said, err := unseal(id, sealed)
				if err != nil {
					return err
				}
				if err := c.Said.Decode(said); err != nil {
					return err
				}
			}
		}
		if sealed := tx.Bucket(bucketParked).Get(id); sealed != nil {
			c.Parked = &Parked{UserID: userID}
			if err := getJSON(id, sealed, c.Parked); err != nil {
				return err
			}
		}
		if c.Due, err = dueOf(tx.Bucket(bucketEvents), nil, id); err != nil {
			return err
		}
		if c.ParkedEvents, err = parkedOf(tx.Bucket(bucketParkedEvents), contactPrefix(id)); err != nil {
			return err
		}
		forgotten, err := readForgotten(tx)
		c.Forgotten = forgotten.Has(id)
		return err
	})
	return c, err
}
