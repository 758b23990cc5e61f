package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"gleapsync/internal/wholefile"

	"go.etcd.io/bbolt"
)

// FormerSuffix is what [Restore] adds to the name of the file that it replaces.
const FormerSuffix = ".before-restore"

// Restore replaces the file by a backup, which is verified first; the former file is
// kept with [FormerSuffix]. What the backup says of contacts that were forgotten since does
// not come back. That the former file's list of them cannot be read is an error, unless
// withoutForgotten. Hold [Store.Lock].
func Restore(s *Store, backup string, withoutForgotten bool) (Verification, error) {
	from, v, err := OpenBackup(backup, s.project)
	if err != nil {
		return v, err
	}
	temporary := s.path + ".new"
	os.Remove(temporary)
	defer os.Remove(temporary)
	if err := Backup(from, temporary); err != nil {
		return v, err
	}
	to := storeOf(Options{Path: temporary, Project: s.project})
	if err := to.load(); err != nil {
		return v, err
	}
	commits, err := remember(s, to, withoutForgotten)
	if err != nil {
		return v, err
	}
	// The copy is none of any state that there was: more was done to it.
	// What Gleap was told since no list of rows knows, either: the next run is to read all.
	if err := to.update(func(tx *bbolt.Tx) error {
		return errors.Join(putUint(tx.Bucket(bucketMeta), keyCommits, commits), dropLists(tx))
	}); err != nil {
		return v, err
	}
	if err := keepFormer(s.path); err != nil {
		return v, err
	}
	if err := swap(s, temporary); err != nil {
		return v, err
	}
	return Verify(s)
}

// OpenBackup opens a copy of a state, and checks all of it.
func OpenBackup(path, project string) (s *Store, v Verification, err error) {
	s, err = Open(Options{Path: path, Project: project, MustExist: true})
	if err == nil {
		v, err = Verify(s)
	}
	var file *damagedFile
	if errors.As(err, &file) {
		err = fmt.Errorf("the backup is damaged: %w: take another one; the state is as it was", file.what)
	}
	return s, v, err
}

// swap moves a file to the place of the state. In between the lock file names none, so that
// neither of them is refused if the process is killed.
func swap(s *Store, temporary string) error {
	if err := s.keeper.mark(nil); err != nil {
		return err
	}
	if err := wholefile.Replace(temporary, s.path); err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return err
	}
	return s.keeper.mark(s.keeper.seen)
}

// remember has a copy of a backup forget whom the present file has forgotten. It returns how
// many commits were made to either of them.
func remember(s, to *Store, withoutForgotten bool) (commits uint64, err error) {
	before := s.keeper.file.State
	found, present, unread := recall(s)
	if present != nil {
		commits = present.Commits
	}
	if unread == nil && before != nil && (before.ID != present.ID || before.Commits > present.Commits) {
		unread = errors.New("it is older than the last run left it, or another one")
	}
	if before != nil {
		commits = max(commits, before.Commits)
	}
	commits = max(commits, to.keeper.seen.Commits)
	if err := forgetAs(to, found); err != nil {
		return 0, err
	}
	switch {
	case unread == nil || withoutForgotten:
	case before != nil && before.Forgotten == 0:
	case before != nil && before.ID == to.keeper.seen.ID && before.Forgotten <= to.keeper.seen.Forgotten: // a list only grows
	case before == nil && errors.Is(unread, fs.ErrNotExist): // nobody knows of one
	default:
		return 0, fmt.Errorf("the list of forgotten contacts in the present state cannot be read (%w), so that contacts which were erased since the backup could be created again: put a readable state in its place, or restore with --without-forgotten and then run gleapsync forget with their ids", unread)
	}
	return commits, nil
}

// recall reads whom the present file has forgotten, as far as that can be read. The error says
// why that may not be all.
func recall(s *Store) (f *Forgotten, present *Mark, err error) {
	f = &Forgotten{}
	file := storeOf(Options{Path: s.path, Project: s.project})
	if _, err := os.Stat(s.path); err != nil {
		return f, nil, err
	}
	if err := file.load(); err != nil {
		return f, nil, err
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
		_ = f.addTimes(tx) // that somebody was forgotten counts, not when
		var err error
		if f.Owed, err = readDeletions(tx); err == nil && n != b.Sequence() {
			err = errCount
		}
		return err
	})
	return f, file.keeper.seen, err
}

// forgetAs has the file forget whom another one has forgotten, and owe the deletions that are
// owed there.
func forgetAs(s *Store, f *Forgotten) error {
	if len(f.hashes) == 0 {
		return nil
	}
	return s.update(func(tx *bbolt.Tx) error {
		again, err := f.known(tx)
		if err != nil {
			return damaged(err)
		}
		return errors.Join(putForgotten(tx, f), owe(tx, f.Owed), removeForgotten(tx, again))
	})
}

// known returns the contacts of which the file holds something, of those that are forgotten.
func (f *Forgotten) known(tx *bbolt.Tx) ([]string, error) {
	var found []string
	add := func(userID []byte) {
		if f.Has(userID) {
			found = append(found, string(userID))
		}
	}
	for _, name := range [][]byte{bucketRecords, bucketChanges, bucketParked} {
		if err := each(tx.Bucket(name), func(userID, _ []byte) error { add(userID); return nil }); err != nil {
			return nil, err
		}
	}
	for _, name := range [][]byte{bucketEvents, bucketParkedEvents} {
		if err := each(tx.Bucket(name), func(key, _ []byte) error {
			var e Event
			err := e.decodeKey(key)
			add(e.UserID)
			return err
		}); err != nil {
			return nil, err
		}
	}
	unanswered, err := readUnanswered(tx)
	if err != nil {
		return nil, err
	}
	for _, u := range unanswered {
		add(u.UserID)
	}
	turns, err := readTurns(tx)
	if err != nil {
		return nil, err
	}
	for _, turn := range turns.Classes {
		add([]byte(turn.Last))
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// ScrubFormer has the file that a restore kept forget whom this one has forgotten, so that
// nothing of them is left in it. That it cannot be done is an error which names the file.
func ScrubFormer(s *Store) error {
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
		if err = forgetAs(former, &Forgotten{salts: f.salts, hashes: f.hashes, at: f.at}); err == nil {
			_, _, err = Compact(former)
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
func keepFormer(path string) error {
	former := path + FormerSuffix
	if err := os.Remove(former); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := os.Link(path, former)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	present, err := os.Open(path) // a file system without links
	if err != nil {
		return err
	}
	defer present.Close()
	return writeNew(former, func(w io.Writer) error { _, err := io.Copy(w, present); return err })
}
