package state

import (
	"bytes"
	"encoding/json"

	"go.etcd.io/bbolt"
)

// keepRuns is how many run reports the file keeps.
const keepRuns = 500

// putRun stores a report and deletes the oldest above the number that is kept.
func putRun(tx *bbolt.Tx, run string, report []byte) error {
	runs := tx.Bucket(bucketRuns)
	if err := put(runs, []byte(run), report); err != nil {
		return err
	}
	var ids [][]byte
	if err := runs.ForEach(func(id, _ []byte) error { ids = append(ids, bytes.Clone(id)); return nil }); err != nil {
		return err
	}
	for _, oldest := range ids[:max(0, len(ids)-keepRuns)] {
		if err := remove(runs, oldest); err != nil {
			return err
		}
	}
	return nil
}

// Reports returns stored reports of the runs before the one with that id, the latest
// first: as many as size bytes hold, and one at least if there is one. No id stands for that
// of a run to come. From last the caller can go on; it is empty if nothing is left.
func (s *Store) Reports(id string, size int) (reports []json.RawMessage, last string, err error) {
	err = s.read(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketRuns).Cursor()
		k, v := c.Last()
		if id != "" {
			if next, _ := c.Seek([]byte(id)); next != nil {
				k, v = c.Prev()
			} else {
				k, v = c.Last()
			}
		}
		for ; k != nil; k, v = c.Prev() {
			if size -= len(v); size < 0 && len(reports) > 0 {
				return nil
			}
			report, err := unseal(k, v)
			if err != nil {
				return err
			}
			reports, last = append(reports, bytes.Clone(report)), string(k)
		}
		last = ""
		return nil
	})
	return reports, last, err
}

// Report returns the stored report of one run, nil if there is none.
func (s *Store) Report(id string) (report json.RawMessage, err error) {
	err = s.read(func(tx *bbolt.Tx) error {
		sealed := tx.Bucket(bucketRuns).Get([]byte(id))
		if sealed == nil {
			return nil
		}
		text, err := unseal([]byte(id), sealed)
		if err != nil {
			return err
		}
		report = bytes.Clone(text)
		return nil
	})
	return report, err
}
