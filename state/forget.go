package state

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// Forgotten knows the contacts that are never to be created again. Each is known by a hash
// with the salt of the file in which it was forgotten: a list outlives its file.
type Forgotten struct {
	Owed   []string // the user ids of those that Gleap may still have
	salts  []string
	hashes map[[sha256.Size]byte]string // with the salt of each
	at     map[[sha256.Size]byte]time.Time
}

// ForgottenContact is a contact that was forgotten. Who it is nobody can tell from that.
type ForgottenContact struct {
	Hash string    `json:"hash"`        // HMAC-SHA-256 of its user id, in hexadecimal
	At   time.Time `json:"at,omitzero"` // zero: an earlier version forgot it, and did not say when
}

// All returns all of them, the latest first.
func (f *Forgotten) All() []ForgottenContact {
	all := []ForgottenContact{}
	for hash := range f.hashes {
		all = append(all, ForgottenContact{hex.EncodeToString(hash[:]), f.at[hash]})
	}
	slices.SortFunc(all, func(a, b ForgottenContact) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Hash, b.Hash))
	})
	return all
}

// Find returns what is kept of a contact, false if it was not forgotten.
func (f *Forgotten) Find(userID []byte) (ForgottenContact, bool) {
	for _, salt := range f.salts {
		hash := hashOf(salt, userID)
		if found, ok := f.hashes[hash]; ok && found == salt {
			return ForgottenContact{hex.EncodeToString(hash[:]), f.at[hash]}, true
		}
	}
	return ForgottenContact{}, false
}

// Has reports whether a contact is forgotten.
func (f *Forgotten) Has(userID []byte) bool {
	_, ok := f.Find(userID)
	return ok
}

func (f *Forgotten) add(hash []byte, salt string) {
	if f.hashes == nil {
		f.hashes = map[[sha256.Size]byte]string{}
	}
	f.hashes[[sha256.Size]byte(hash)] = salt
	if !slices.Contains(f.salts, salt) {
		f.salts = append(f.salts, salt)
	}
}

// hashOf returns what is kept of a user id. The domain keeps it apart from the hashes of
// contact fields, which begin with the field's byte.
func hashOf(salt string, userID []byte) [sha256.Size]byte {
	mac := hmac.New(sha256.New, []byte(salt))
	mac.Write([]byte{0})
	mac.Write(userID)
	return [sha256.Size]byte(mac.Sum(nil))
}

var errForgotten = errors.New("a forgotten contact cannot be decoded")

// addEntry takes an entry of a file: the value is the salt of another file, or empty.
func (f *Forgotten) addEntry(hash, value, salt []byte) error {
	switch {
	case len(hash) != sha256.Size || len(value) != 0 && len(value) != sha256.Size:
		return errForgotten
	case len(value) > 0:
		salt = value
	}
	f.add(hash, string(salt))
	return nil
}

// Forgotten reads which contacts are forgotten.
func (s *Store) Forgotten() (*Forgotten, error) {
	f := &Forgotten{}
	err := s.read(func(tx *bbolt.Tx) (err error) {
		f, err = readForgotten(tx)
		return err
	})
	return f, err
}

func readForgotten(tx *bbolt.Tx) (*Forgotten, error) {
	f, salt := &Forgotten{}, get(tx.Bucket(bucketMeta), keySalt)
	err := each(tx.Bucket(bucketForgotten), func(hash, value []byte) error { return f.addEntry(hash, value, salt) })
	if err == nil {
		err = f.addTimes(tx)
	}
	if err == nil {
		f.Owed, err = readDeletions(tx)
	}
	return f, err
}

// addTimes adds when the contacts were forgotten.
func (f *Forgotten) addTimes(tx *bbolt.Tx) error {
	f.at = map[[sha256.Size]byte]time.Time{}
	return each(tx.Bucket(bucketForgottenAt), func(hash, text []byte) error {
		at, err := time.Parse(time.RFC3339, string(text))
		if err != nil || len(hash) != sha256.Size {
			return errForgotten
		}
		f.at[[sha256.Size]byte(hash)] = at
		return nil
	})
}

// putForgotten adds a list to that of a file.
func putForgotten(tx *bbolt.Tx, f *Forgotten) error {
	b, own := tx.Bucket(bucketForgotten), string(get(tx.Bucket(bucketMeta), keySalt))
	for hash, salt := range f.hashes {
		if b.Get(hash[:]) != nil {
			continue
		}
		var value []byte
		if salt != own { // an earlier version would take it for a hash with the file's own
			value = []byte(salt)
			if err := raise(tx, formatWithSalts); err != nil {
				return err
			}
		}
		if err := put(b, hash[:], value); err != nil {
			return err
		}
		if at := f.at[hash]; !at.IsZero() {
			times, err := tx.CreateBucketIfNotExists(bucketForgottenAt)
			if err != nil {
				return err
			}
			if err := put(times, hash[:], []byte(at.UTC().Format(time.RFC3339))); err != nil {
				return err
			}
		}
	}
	return nil
}

// Forget removes all that the file holds of some contacts, remembers their hashes, which
// [Forgotten] knows, and that they are to be deleted in Gleap. Pages that are free now may
// still hold what was removed, until [Compact]. It creates the file if there is none.
// Hold [Store.Lock].
func (s *Store) Forget(userIDs []string) error {
	if err := s.ensure(); err != nil {
		return err
	}
	f, err := s.Forgotten()
	if err != nil {
		return err
	}
	if err := s.keeper.expectForgotten(len(userIDs)); err != nil {
		return err
	}
	return s.update(func(tx *bbolt.Tx) error {
		added := Forgotten{at: map[[sha256.Size]byte]time.Time{}}
		for _, id := range userIDs {
			if hash := hashOf(string(s.salt), []byte(id)); !f.Has([]byte(id)) {
				added.add(hash[:], string(s.salt))
				added.at[hash] = time.Now()
			}
		}
		return errors.Join(putForgotten(tx, &added), owe(tx, userIDs), removeForgotten(tx, userIDs))
	})
}

// owe notes that contacts are to be deleted in Gleap.
func owe(tx *bbolt.Tx, userIDs []string) error {
	b, err := tx.CreateBucketIfNotExists(bucketDeletions)
	if err != nil {
		return err
	}
	at := []byte(time.Now().UTC().Format(time.RFC3339))
	for _, id := range userIDs {
		if b.Get([]byte(id)) == nil {
			if err := put(b, []byte(id), slices.Clip(at)); err != nil {
				return err
			}
		}
	}
	return countDeletions(tx)
}

// countDeletions notes how many there are where each reader looks: the bucket is one that
// need not be there.
func countDeletions(tx *bbolt.Tx) error {
	return putUint(tx.Bucket(bucketMeta), keyOwed, tx.Bucket(bucketDeletions).Sequence())
}

// deleted notes that contacts were deleted in Gleap.
func deleted(tx *bbolt.Tx, userIDs []string) error {
	if len(userIDs) == 0 {
		return nil
	}
	for _, id := range userIDs {
		if err := remove(tx.Bucket(bucketDeletions), []byte(id)); err != nil {
			return err
		}
	}
	return errors.Join(countDeletions(tx), put(tx.Bucket(bucketMeta), keyErased, nil))
}

// readDeletions returns the forgotten contacts that Gleap may still have.
func readDeletions(tx *bbolt.Tx) (userIDs []string, err error) {
	b, n := tx.Bucket(bucketDeletions), getUint(tx.Bucket(bucketMeta), keyOwed)
	switch {
	case b == nil && n == 0:
		return nil, nil
	case b == nil || b.Sequence() != n:
		return nil, errCount
	}
	err = each(b, func(id, at []byte) error {
		userIDs = append(userIDs, string(id))
		_, err := time.Parse(time.RFC3339, string(at))
		return err
	})
	return userIDs, err
}

// removeForgotten removes contacts.
func removeForgotten(tx *bbolt.Tx, userIDs []string) error {
	attributes, err := readAttributes(tx)
	if err != nil {
		return err
	}
	unanswered, err := readUnanswered(tx)
	if err != nil {
		return damaged(err)
	}
	forgotten := make(map[string]bool, len(userIDs))
	for _, id := range userIDs {
		forgotten[id] = true
	}
	unanswered = slices.DeleteFunc(unanswered, func(u Unanswered) bool { return forgotten[string(u.UserID)] })
	if err := putUnanswered(tx, unanswered); err != nil {
		return err
	}
	if err := forgetTurns(tx, userIDs); err != nil {
		return damaged(err)
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
			return damaged(err)
		}
		for _, k := range record.Attributes {
			tally.add(k.ID, k.Value, -1)
		}
		if err := remove(records, key); err != nil {
			return err
		}
	}
	// The lists of rows have their ids.
	return errors.Join(tally.write(tx), dropLists(tx), put(tx.Bucket(bucketMeta), keyErased, nil))
}
