package state

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"go.etcd.io/bbolt"
)

// ErrNotFound is returned, wrapped, for a key or a run that the state does not have.
var ErrNotFound = errors.New("not in the state")

// Options says which file to open.
type Options struct {
	Path      string
	Project   string // the Gleap project; a file of another one is refused
	MustExist bool   // a file that is not there is an error, not a first run
	Known     *Mark  // what this process knows of the file, nil: nothing
}

// Store is a state file. Its methods may be called by several goroutines.
type Store struct {
	file
	keeper  keeper
	replace bool // the present file does not matter
	writing sync.Mutex
}

func storeOf(o Options) *Store {
	return &Store{file: file{path: o.Path, project: o.Project}, keeper: keeper{path: o.Path, known: o.Known}}
}

// Open checks the file and returns a store for it. A file that does not exist is an
// empty store, unless o.MustExist; [Store.Begin] creates it. An error says what is
// wrong and what to do.
func Open(o Options) (*Store, error) {
	s := storeOf(o)
	info, err := os.Stat(o.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && o.MustExist:
		return nil, fmt.Errorf("the state file %s does not exist and must_exist is set: mount its volume or restore a backup (for a first run set must_exist = false)", o.Path)
	case errors.Is(err, fs.ErrNotExist):
		return s, s.keeper.missing()
	case err != nil:
		return nil, fmt.Errorf("the state file cannot be read: %w", err)
	case info.IsDir():
		return nil, fmt.Errorf("%s is a folder: set state.path to a file in it", o.Path)
	case info.Size() == 0:
		return nil, &damagedFile{fmt.Errorf("%s is empty", o.Path)}
	}
	return s, s.load()
}

// Replace returns a store whose file is about to be replaced by [Restore], so that it does
// not matter what it is like.
func Replace(o Options) *Store {
	s := storeOf(Options{Path: o.Path, Project: o.Project})
	s.replace = true
	return s
}

// load reads what the store keeps of the file.
func (s *Store) load() error {
	return s.view(func(tx *bbolt.Tx) error {
		salt := get(tx.Bucket(bucketMeta), keySalt)
		if len(salt) != sha256.Size {
			return damaged(errors.New("the salt is missing"))
		}
		s.salt = bytes.Clone(salt)
		seen := markOf(tx)
		s.keeper.seen = &seen
		return nil
	})
}

// ensure creates the file if there is none.
func (s *Store) ensure() error {
	if s.Exists() {
		return nil
	}
	if err := s.create(); err != nil {
		return err
	}
	return s.load()
}

// read runs fn in a read transaction if there is a file. Nothing that fn sees may be kept, and
// every error of it is that of a damaged file.
func (s *Store) read(fn func(*bbolt.Tx) error) error {
	if !s.Exists() {
		return nil
	}
	return s.view(func(tx *bbolt.Tx) error { return damaged(fn(tx)) })
}

// view runs fn in a read transaction, and takes its errors as they are.
func (s *Store) view(fn func(*bbolt.Tx) error) error {
	return s.keeper.explain(s.do(&bbolt.Options{ReadOnly: true, Timeout: readTimeout}, (*bbolt.DB).View, fn))
}

// update runs fn in a write transaction and returns after it is on the disk.
func (s *Store) update(fn func(*bbolt.Tx) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.keeper.check(); err != nil {
		return err
	}
	var after Mark
	options := &bbolt.Options{Timeout: writeTimeout, FreelistType: bbolt.FreelistMapType, OpenFile: openExisting}
	err := s.do(options, (*bbolt.DB).Update, func(tx *bbolt.Tx) error {
		if err := s.keeper.checkCommits(tx); err != nil {
			return err
		}
		if err := fn(tx); err != nil {
			return err
		}
		meta := tx.Bucket(bucketMeta)
		if err := putUint(meta, keyCommits, getUint(meta, keyCommits)+1); err != nil {
			return err
		}
		after = markOf(tx)
		return nil
	})
	s.keeper.wrote(after, err)
	return s.keeper.explain(err)
}
