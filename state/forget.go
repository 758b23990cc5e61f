package state

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"slices"

	"go.etcd.io/bbolt"
)

// Forgotten knows the contacts that are never to be created again.
type Forgotten struct {
	salt   []byte
	hashes map[[sha256.Size]byte]bool
}

// Has reports whether a contact is forgotten.
func (f *Forgotten) Has(userID []byte) bool {
	return len(f.hashes) > 0 && f.hashes[f.hash(userID)]
}

// hash returns what is kept of a user id. The domain keeps it apart from the hashes of
// contact fields, which begin with the field's byte.
func (f *Forgotten) hash(userID []byte) [sha256.Size]byte {
	mac := hmac.New(sha256.New, f.salt)
	mac.Write([]byte{0})
	mac.Write(userID)
	return [sha256.Size]byte(mac.Sum(nil))
}

// Forgotten reads which contacts are forgotten.
func (s *Store) Forgotten() (*Forgotten, error) {
	f := &Forgotten{s.salt, map[[sha256.Size]byte]bool{}}
	if !s.Exists() {
		return f, nil
	}
	err := s.view(func(tx *bbolt.Tx) error {
		if err := each(tx.Bucket(bucketForgotten), func(hash, _ []byte) error {
			if len(hash) != sha256.Size {
				return errChecksum
			}
			f.hashes[[sha256.Size]byte(hash)] = true
			return nil
		}); err != nil {
			return s.damaged(err)
		}
		return nil
	})
	return f, err
}

// Forget removes all that the file holds of some contacts, and remembers their hashes,
// which [Forgotten] knows. Pages that are free now may still hold what was removed, until
// [Store.Compact]. It creates the file if there is none. Hold [Store.Lock].
func (s *Store) Forget(userIDs []string) error {
	if !s.Exists() {
		if err := s.create(); err != nil {
			return err
		}
	}
	f, err := s.Forgotten()
	if err != nil {
		return err
	}
	return s.update(func(tx *bbolt.Tx) error {
		for _, id := range userIDs {
			hash := f.hash([]byte(id))
			if err := put(tx.Bucket(bucketForgotten), hash[:], nil); err != nil {
				return err
			}
		}
		return s.removeForgotten(tx, userIDs)
	})
}

// removeForgotten removes contacts.
func (s *Store) removeForgotten(tx *bbolt.Tx, userIDs []string) error {
	attributes, err := s.attributes(tx)
	if err != nil {
		return err
	}
	unanswered, err := decodeUnanswered(get(tx.Bucket(bucketMeta), keyUnanswered))
	if err != nil {
		return s.damaged(err)
	}
	unanswered = slices.DeleteFunc(unanswered, func(u Unanswered) bool { return slices.Contains(userIDs, string(u.UserID)) })
	if err := putUnanswered(tx, unanswered); err != nil {
		return err
	}
	if err := forgetTurns(tx, userIDs); err != nil {
		return s.damaged(err)
	}
	tally := newTally(attributes)
	records := tx.Bucket(bucketRecords)
	var record Record
	for _, id := range userIDs {
		key := []byte(id)
		if err := remove(tx.Bucket(bucketParked), key); err != nil {
			return err
		}
		if err := errors.Join(removeEvents(tx, bucketEvents, key), removeEvents(tx, bucketParkedEvents, key)); err != nil {
			return err
		}
		if changes := tx.Bucket(bucketChanges); changes != nil {
			if err := remove(changes, key); err != nil {
				return err
			}
		}
		sealed := records.Get(key)
		if sealed == nil {
			continue
		}
		if err := record.unseal(key, sealed); err != nil {
			return s.damaged(err)
		}
		for _, k := range record.Attributes {
			tally.add(k.ID, k.Value, -1)
		}
		if err := remove(records, key); err != nil {
			return err
		}
	}
	return tally.write(tx)
}

// remember has a backup forget whom the present file has forgotten since, as far as that
// can be read.
func (s *Store) remember(backup string) error {
	present := &Store{path: s.path, project: s.project}
	if present.load() != nil {
		return nil
	}
	forgotten, err := present.Forgotten()
	if err != nil || len(forgotten.hashes) == 0 {
		return nil
	}
	to := &Store{path: backup, project: s.project}
	if err := to.load(); err != nil || string(to.salt) != string(present.salt) {
		return err
	}
	var again []string
	for _, records := range []*Records{to.Records(), to.ChangedRanges(nil)[0]} {
		for records.Next() {
			if forgotten.Has(records.UserID()) {
				again = append(again, string(records.UserID()))
			}
		}
		if records.Err() != nil {
			return records.Err()
		}
	}
	ofEvents, err := to.contactsWithEvents(forgotten.Has)
	if err != nil {
		return err
	}
	again = append(again, ofEvents...)
	unanswered, err := to.Unanswered()
	if err != nil {
		return err
	}
	for _, u := range unanswered {
		if forgotten.Has(u.UserID) {
			again = append(again, string(u.UserID))
		}
	}
	overview, err := to.Overview()
	if err != nil {
		return err
	}
	for _, turn := range overview.Turns.Classes {
		if forgotten.Has([]byte(turn.Last)) {
			again = append(again, turn.Last)
		}
	}
	return to.update(func(tx *bbolt.Tx) error {
		for hash := range forgotten.hashes {
			if err := put(tx.Bucket(bucketForgotten), hash[:], nil); err != nil {
				return err
			}
		}
		return to.removeForgotten(tx, again)
	})
}
