package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"go.etcd.io/bbolt"

	"gleapsync/internal/wholefile"
)

// FormerSuffix is what [Store.Restore] adds to the name of the file that it replaces.
const FormerSuffix = ".before-restore"

// Restore replaces the file by a backup, which is verified first; the former file is
// kept with [FormerSuffix]. What the backup says of contacts that were forgotten since does
// not come back. That the former file's list of them cannot be read is an error, unless
// withoutForgotten. Hold [Store.Lock].
func (s *Store) Restore(backup string, withoutForgotten bool) (Verification, error) {
	from, err := Open(Options{Path: backup, Project: s.project, MustExist: true})
	if err != nil {
		return Verification{}, err
	}
	v, err := from.Verify()
	if err != nil {
		return v, err
	}
	temporary := s.path + ".new"
	os.Remove(temporary)
	defer os.Remove(temporary)
	if err := from.Backup(temporary); err != nil {
		return v, err
	}
	to := &Store{path: temporary, project: s.project}
	if err := to.load(); err != nil {
		return v, err
	}
	commits, err := s.remember(to, withoutForgotten)
	if err != nil {
		return v, err
	}
	// The copy is none of any state that there was: more was done to it.
	if err := to.update(func(tx *bbolt.Tx) error { return putUint(tx.Bucket(bucketMeta), keyCommits, commits) }); err != nil {
		return v, err
	}
	if err := s.keepFormer(); err != nil {
		return v, err
	}
	if err := s.swap(temporary); err != nil {
		return v, err
	}
	return s.Verify()
}

// swap moves a file to the place of the state. In between the lock file names none, so that
// neither of them is refused if the process is killed.
func (s *Store) swap(temporary string) error {
	if s.held != nil {
		s.held.file.State = nil
		if err := s.writeMark(); err != nil {
			return err
		}
	}
	if err := wholefile.Replace(temporary, s.path); err != nil {
		return err
	}
	if err := s.load(); err != nil || s.held == nil {
		return err
	}
	s.held.file.State = s.seen
	return s.writeMark()
}

// remember has a copy of a backup forget whom the present file has forgotten. It returns how
// many commits were made to either of them.
func (s *Store) remember(to *Store, withoutForgotten bool) (commits uint64, err error) {
	var before *Mark
	if s.held != nil {
		before = s.held.file.State
	}
	found, owed, present, unread := s.recall()
	if present != nil {
		commits = present.Commits
	}
	if unread == nil && before != nil && (before.ID != present.ID || before.Commits > present.Commits) {
		unread = errors.New("it is older than the last run left it, or another one")
	}
	if before != nil {
		commits = max(commits, before.Commits)
	}
	commits = max(commits, to.seen.Commits)
	if err := to.forgetAs(found, owed); err != nil {
		return 0, err
	}
	switch {
	case unread == nil || withoutForgotten:
	case before != nil && before.Forgotten == 0:
	case before != nil && before.ID == to.seen.ID && before.Forgotten <= to.seen.Forgotten: // a list only grows
	case before == nil && errors.Is(unread, fs.ErrNotExist): // nobody knows of one
	default:
		return 0, fmt.Errorf("the list of forgotten contacts in the present state cannot be read (%w), so that contacts which were erased since the backup could be created again: put a readable state in its place, or restore with --without-forgotten and then run gleapsync forget with their ids", unread)
	}
	return commits, nil
}

// recall reads whom the present file has forgotten, as far as that can be read, and whom of
// them Gleap may still have. The error says why that may not be all.
func (s *Store) recall() (f *Forgotten, owed []string, present *Mark, err error) {
	f = &Forgotten{}
	file := &Store{path: s.path, project: s.project}
	if _, err := os.Stat(s.path); err != nil {
		return f, nil, nil, err
	}
	if err := file.load(); err != nil {
		return f, nil, nil, err
	}
	err = file.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketForgotten)
		n := uint64(0)
		if err := b.ForEach(func(hash, sealed []byte) error {
			value, err := unseal(hash, sealed)
			if err == nil && f.addEntry(hash, value, file.salt) == nil {
				n++
			}
			return nil
		}); err != nil {
			return err
		}
		var err error
		if owed, err = readDeletions(tx); err == nil && n != b.Sequence() {
			err = errCount
		}
		return err
	})
	return f, owed, file.seen, err
}

// ScrubFormer has the file that a restore kept forget whom this one has forgotten, so that
// nothing of them is left in it. That it cannot be done is an error which names the file.
func (s *Store) ScrubFormer() error {
	path := s.path + FormerSuffix
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	f, err := s.Forgotten()
	if err != nil || len(f.hashes) == 0 {
		return err
	}
	former, err := Open(Options{Path: path, Project: s.project, MustExist: true})
	var known *Forgotten
	if err == nil {
		known, err = former.Forgotten()
	}
	if err == nil && !known.includes(f) {
		if err = former.forgetAs(f, nil); err == nil {
			_, _, err = former.Compact()
		}
	}
	if err != nil {
		return fmt.Errorf("%s may still hold contacts that were forgotten, and cannot be changed: remove it: %w", path, err)
	}
	return nil
}

// includes reports whether a list has all of another.
func (f *Forgotten) includes(other *Forgotten) bool {
	for hash := range other.hashes {
		if _, ok := f.hashes[hash]; !ok {
			return false
		}
	}
	return true
}

// keepFormer gives the present file a second name. It is not renamed, so that at no
// moment there is no state: that would look like a first run.
func (s *Store) keepFormer() error {
	former := s.path + FormerSuffix
	if err := os.Remove(former); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := os.Link(s.path, former)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	present, err := os.Open(s.path) // a file system without links
	if err != nil {
		return err
	}
	defer present.Close()
	return writeNew(former, func(w io.Writer) error { _, err := io.Copy(w, present); return err })
}
