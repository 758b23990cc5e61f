package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"

	"gleapsync/internal/wholefile"
)

// errNoFile is what maintenance says of an empty store.
func (s *Store) errNoFile() error {
	return fmt.Errorf("the state file %s does not exist yet: the first sync creates it", s.path)
}

// Unpark ends the parking of the given contacts and of their events, or of all if none is
// given, and has every export read again by the next run. It returns how many there were.
// A contact that is not parked and has no parked events is an error, and then none is
// unparked. Hold [Store.Lock].
func (s *Store) Unpark(userIDs ...string) (contacts, events int, err error) {
	if !s.Exists() {
		return 0, 0, s.errNoFile()
	}
	err = s.update(func(tx *bbolt.Tx) error {
		parked := tx.Bucket(bucketParked)
		if len(userIDs) == 0 {
			if err := parked.ForEach(func(id, _ []byte) error { userIDs = append(userIDs, string(id)); return nil }); err != nil {
				return err
			}
			if events, err = unparkEvents(tx, nil); err != nil {
				return s.damaged(err)
			}
		}
		for _, id := range userIDs {
			ofEvents, err := unparkEvents(tx, []byte(id))
			if err != nil {
				return s.damaged(err)
			}
			events += ofEvents
			switch {
			case id != "" && parked.Get([]byte(id)) != nil:
				contacts++
			case ofEvents == 0:
				return fmt.Errorf("the contact %q is not parked: see gleapsync inspect parked, and gleapsync inspect events for parked events", id)
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
		attributes, err := s.attributes(tx)
		if err != nil {
			return err
		}
		for _, a := range attributes {
			a.Applied.Fingerprint = ""
			if err := putAttribute(tx, a); err != nil {
				return err
			}
		}
		return nil
	})
	return contacts, events, err
}

// Verification says what a file that was read as a whole holds.
type Verification struct {
	Contacts     int `json:"contacts"`
	Attributes   int `json:"attributes"`
	Parked       int `json:"parked"`
	Forgotten    int `json:"forgotten"`
	Deletions    int `json:"deletions,omitempty"` // forgotten contacts that Gleap may still have
	Runs         int `json:"runs"`
	Events       int `json:"events"`        // that are due
	ParkedEvents int `json:"parked_events"` // that Gleap refused
}

// Verify reads the whole file: bbolt checks its pages, and everything in it is decoded.
// The error names the first thing that is wrong. Hold [Store.Lock], since a commit
// would have to wait for it.
func (s *Store) Verify() (Verification, error) {
	var v Verification
	if !s.Exists() {
		return v, s.errNoFile()
	}
	options := &bbolt.Options{ReadOnly: true, PreLoadFreelist: true, Timeout: readTimeout}
	err := s.do(options, (*bbolt.DB).View, func(tx *bbolt.Tx) error {
		if err := checkPages(tx, true); err != nil {
			return s.damaged(err)
		}
		sound := true
		for range tx.Check() { // it ends only when all was taken; what it says would name user ids
			sound = false
		}
		if !sound {
			return s.damaged(errPages)
		}
		return s.verify(tx, &v)
	})
	return v, err
}

func (s *Store) verify(tx *bbolt.Tx, v *Verification) error {
	attributes, err := s.attributes(tx)
	if err != nil {
		return err
	}
	known, counted := map[uint32]bool{}, newTally(attributes)
	for _, a := range attributes {
		known[a.ID] = true
		if !a.Gone() {
			v.Attributes++
		}
	}
	epoch := getUint(tx.Bucket(bucketMeta), keyEpoch)
	var record Record
	if err := each(tx.Bucket(bucketRecords), func(_, b []byte) error {
		v.Contacts++
		if err := record.Decode(b); err != nil {
			return err
		}
		if record.Epoch > epoch || !bytes.Equal(record.append(nil), b) {
			return errRecord
		}
		for _, k := range record.Attributes {
			if !known[k.ID] {
				return fmt.Errorf("a record has the attribute %d, which is not there", k.ID)
			}
			counted.add(k.ID, k.Value, 1)
		}
		return nil
	}); err != nil {
		return s.damaged(err)
	}
	for _, a := range attributes {
		if n := counted.change[a.ID]; n != a.Members {
			return s.damaged(fmt.Errorf("%s has %d members, and %d are counted", a.Key, a.Members, n))
		}
	}
	if err := each(tx.Bucket(bucketParked), func(_, text []byte) error {
		v.Parked++
		return json.Unmarshal(text, new(Parked))
	}); err != nil {
		return s.damaged(fmt.Errorf("a parked contact cannot be decoded: %w", err))
	}
	if changes := tx.Bucket(bucketChanges); changes != nil {
		var changed Changed
		if err := each(changes, func(_, b []byte) error {
			if err := changed.Decode(b); err != nil {
				return err
			}
			if !bytes.Equal(changed.Append(nil), b) {
				return errChanged
			}
			return nil
		}); err != nil {
			return s.damaged(err)
		}
	}
	if files := tx.Bucket(bucketFiles); files != nil {
		if err := each(files, func(_, text []byte) error { return json.Unmarshal(text, new(File)) }); err != nil {
			return s.damaged(err)
		}
	}
	if err := verifyEvents(tx, v); err != nil {
		return s.damaged(err)
	}
	if _, err := readTurns(tx); err != nil {
		return s.damaged(err)
	}
	unanswered, err := decodeUnanswered(get(tx.Bucket(bucketMeta), keyUnanswered))
	if err != nil {
		return s.damaged(err)
	}
	for _, u := range unanswered {
		if slices.ContainsFunc(u.Attributes, func(c Change) bool { return !known[c.ID] }) {
			return s.damaged(errUnanswered)
		}
	}
	var forgotten Forgotten
	if err := each(tx.Bucket(bucketForgotten), func(hash, value []byte) error {
		v.Forgotten++
		return forgotten.addEntry(hash, value, s.salt)
	}); err != nil {
		return s.damaged(err)
	}
	deletions, err := readDeletions(tx)
	if err != nil {
		return s.damaged(err)
	}
	v.Deletions = len(deletions)
	if err := each(tx.Bucket(bucketRuns), func(id, text []byte) error {
		if v.Runs++; !json.Valid(text) {
			return fmt.Errorf("the report of run %s cannot be decoded", id)
		}
		return nil
	}); err != nil {
		return s.damaged(err)
	}
	return nil
}

// Backup writes a consistent copy of the file, also while a run is going on. The copy
// must not exist yet.
func (s *Store) Backup(path string) (err error) {
	if !s.Exists() {
		return s.errNoFile()
	}
	return s.view(func(tx *bbolt.Tx) error {
		return writeNew(path, func(w io.Writer) error { _, err := tx.WriteTo(w); return err })
	})
}

// writeNew writes a file that does not exist yet, and leaves nothing if it fails.
func writeNew(path string, write func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already: choose another name", path)
	}
	if err != nil {
		return err
	}
	if err := errors.Join(write(file), file.Sync(), file.Close()); err != nil {
		os.Remove(path)
		return err
	}
	wholefile.SyncFolder(filepath.Dir(path))
	return nil
}

// Compact writes the file anew without its free pages, and returns its size before and
// after. Hold [Store.Lock].
func (s *Store) Compact() (before, after int64, err error) {
	if !s.Exists() {
		return 0, 0, s.errNoFile()
	}
	temporary := s.path + ".new"
	os.Remove(temporary)
	defer os.Remove(temporary)
	if err := s.Held(); err != nil {
		return 0, 0, err
	}
	if err := s.view(func(tx *bbolt.Tx) error {
		if err := s.checkCommits(tx); err != nil {
			return err
		}
		before = tx.Size()
		to, err := bbolt.Open(temporary, 0o600, &bbolt.Options{Timeout: readTimeout})
		if err != nil {
			return err
		}
		const perTransaction = 64 << 20
		return errors.Join(bbolt.Compact(to, tx.DB(), perTransaction), to.Update(func(tx *bbolt.Tx) error {
			return remove(tx.Bucket(bucketMeta), keyErased)
		}), to.Close())
	}); err != nil {
		return 0, 0, err
	}
	if err := wholefile.Replace(temporary, s.path); err != nil {
		return 0, 0, err
	}
	err = s.view(func(tx *bbolt.Tx) error { after = tx.Size(); return nil })
	return before, after, err
}
