package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"gleapsync/internal/wholefile"
)

// errNoFile is what maintenance says of an empty store.
func errNoFile(s *Store) error {
	return fmt.Errorf("the state file %s does not exist yet: the first sync creates it", s.path)
}

// Backup writes a consistent copy of the file, also while a run is going on. The copy
// must not exist yet.
func Backup(s *Store, path string) (err error) {
	if !s.Exists() {
		return errNoFile(s)
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
func Compact(s *Store) (before, after int64, err error) {
	if !s.Exists() {
		return 0, 0, errNoFile(s)
	}
	temporary := s.path + ".new"
	os.Remove(temporary)
	defer os.Remove(temporary)
	if err := s.CheckLock(); err != nil {
		return 0, 0, err
	}
	if err := s.view(func(tx *bbolt.Tx) error {
		if err := s.keeper.checkCommits(tx); err != nil {
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
