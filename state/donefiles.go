package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// DoneFile is a file of a change export of which everything was acknowledged or parked, or of
// an event export of which every event was stored.
type DoneFile struct {
	Source   string    `json:"source"` // of the export, told apart by what is made of it
	Name     string    `json:"name"`
	Version  string    `json:"version"`  // to see that it changed since
	Settings string    `json:"settings"` // hash of what it was read with
	At       time.Time `json:"at"`       // when it was read, or of an event export about when it was seen last
	// EndsLine says of a file of an event export that its text ended with a line break: one of a
	// later file that does not may be cut off.
	EndsLine bool `json:"ends_line,omitempty"`
}

// key is the file's key in its bucket.
func (f DoneFile) key() []byte { return fmt.Appendf(nil, "%s\x00%s", f.Source, f.Name) }

// Files returns the files of change and event exports that need not be read again.
func (s *Store) Files() ([]DoneFile, error) {
	var all []DoneFile
	err := s.read(func(tx *bbolt.Tx) error {
		return each(tx.Bucket(bucketFiles), func(_, text []byte) error {
			var f DoneFile
			err := json.Unmarshal(text, &f)
			all = append(all, f)
			return err
		})
	})
	return all, err
}

// putFiles makes files all that need not be read again; nil leaves them as they are.
func putFiles(tx *bbolt.Tx, files []DoneFile) error {
	if files == nil {
		return nil
	}
	b, err := lateBucket(tx, bucketFiles, formatWithChanges)
	if err != nil {
		return err
	}
	listed := map[string]bool{}
	for _, f := range files {
		key := f.key()
		listed[string(key)] = true
		text, err := json.Marshal(f)
		if err != nil {
			return err
		}
		if sealed := seal(key, text); !bytes.Equal(b.Get(key), sealed) { // most are as before
			if err := put(b, key, text); err != nil {
				return err
			}
		}
	}
	var vanished [][]byte
	if err := b.ForEach(func(key, _ []byte) error {
		if !listed[string(key)] {
			vanished = append(vanished, bytes.Clone(key))
		}
		return nil
	}); err != nil {
		return err
	}
	for _, key := range vanished {
		if err := remove(b, key); err != nil {
			return err
		}
	}
	return nil
}
