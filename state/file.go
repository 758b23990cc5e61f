package state

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"gleapsync/internal/wholefile"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// ErrDamaged is what every method returns, wrapped, for a file that bbolt or this
// package cannot read.
var ErrDamaged = errors.New("the state file is damaged")

// damagedFile is [ErrDamaged] with which file it is, and how it is known.
type damagedFile struct{ what error }

func (e *damagedFile) Error() string {
	return fmt.Sprintf("%v: %v: restore a backup, or move it and its lock file away to start with a full sync", ErrDamaged, e.what)
}

func (e *damagedFile) Is(target error) bool { return target == ErrDamaged }

func (e *damagedFile) Unwrap() error { return e.what }

// damageError marks an error that only a damaged file explains.
type damageError struct{ error }

func (e damageError) Unwrap() error { return e.error }

// damaged marks an error as that of a damaged file: what it says to the user is added where
// the file is closed.
func damaged(err error) error {
	if err == nil {
		return nil
	}
	return damageError{err}
}

// missingError is that of a file that is not there when it is to be opened.
type missingError struct{ error }

func (e missingError) Unwrap() error { return e.error }

// How long to wait for another process that holds the file open. A commit and a slice of
// records take well under a second; a commit also waits for a backup of a large file.
const (
	readTimeout  = 10 * time.Second
	writeTimeout = 2 * time.Minute
)

// file is the bbolt file of a state.
type file struct {
	path    string
	project string
	salt    []byte // nil as long as there is no file
	future  []byte // that of the file that is made, nil: nobody asked
}

// Exists reports whether there is a file yet.
func (f *file) Exists() bool { return f.salt != nil }

// ID names the file, or the one that this store makes, in sixteen hexadecimal digits.
func (f *file) ID() string {
	if f.salt == nil {
		return stateID(f.futureSalt())
	}
	return stateID(f.salt)
}

func (f *file) futureSalt() []byte {
	if f.future == nil {
		f.future = make([]byte, sha256.Size)
		rand.Read(f.future)
	}
	return f.future
}

// Path returns the file's path.
func (f *file) Path() string { return f.path }

// do opens the file, checks what it is, runs one transaction and closes the file.
func (f *file) do(o *bbolt.Options, run func(*bbolt.DB, func(*bbolt.Tx) error) error, fn func(*bbolt.Tx) error) error {
	return f.open(o, func(db *bbolt.DB) error {
		return run(db, func(tx *bbolt.Tx) error {
			if err := f.check(tx); err != nil {
				return err
			}
			return fn(tx)
		})
	})
}

// open opens the file, whatever it is, and closes it after fn.
func (f *file) open(o *bbolt.Options, fn func(*bbolt.DB) error) (err error) {
	// bbolt reads the file through a memory map: what is damaged can panic, and a
	// page behind the end of the file is a fault.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = damaged(fmt.Errorf("%v", p))
		}
		if errors.As(err, new(damageError)) {
			err = &damagedFile{fmt.Errorf("%s: %w", f.path, err)}
		}
	}()
	db, err := bbolt.Open(f.path, 0o600, o)
	if err != nil {
		return f.openError(err)
	}
	defer db.Close()
	return fn(db)
}

func (f *file) openError(err error) error {
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("the state file %s is held by another process for too long: end that process, then try again", f.path)
	case errors.Is(err, fs.ErrNotExist):
		return missingError{fmt.Errorf("the state file cannot be opened: %w", err)}
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the state file cannot be opened: %w", err)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum):
		return &damagedFile{fmt.Errorf("%s is not a state file of gleapsync or lost its start", f.path)}
	}
	if errors.As(err, new(syscall.Errno)) {
		return fmt.Errorf("the state file %s cannot be opened: %w", f.path, err)
	}
	return damaged(err) // it is too short to have pages, for one
}

// check makes sure that the open file is whole and is the one that was asked for.
func (f *file) check(tx *bbolt.Tx) error {
	if info, err := os.Stat(f.path); err == nil && info.Size() < tx.Size() {
		return damaged(fmt.Errorf("%d of its %d bytes are there", info.Size(), tx.Size()))
	}
	if f.salt == nil { // the first time
		if err := checkPages(tx, false); err != nil {
			return damaged(err)
		}
	}
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		return fmt.Errorf("%s is a bbolt file, but not a state file of gleapsync: set state.path to another file", f.path)
	}
	// The version is the first byte of its value: that much every version can read.
	v := append(bytes.Clone(meta.Get(keyFormat)), 0)[0]
	if v < formatVersion || v > formatWithSalts {
		return fmt.Errorf("the state file %s has format version %d, this gleapsync reads versions up to %d: use the version of gleapsync that wrote it", f.path, v, formatWithSalts)
	}
	needed := allBuckets
	if v >= formatWithEvents {
		needed = slices.Concat(allBuckets, lateBuckets)
	}
	for _, name := range needed {
		if tx.Bucket(name) == nil {
			return damaged(fmt.Errorf("the bucket %q is missing", name))
		}
	}
	if err := each(meta, func(_, _ []byte) error { return nil }); err != nil {
		return damaged(err)
	}
	if project := string(get(meta, keyProject)); project != f.project {
		return fmt.Errorf("the state file %s belongs to the project %q, not to %q: set project or state.path to what goes together", f.path, project, f.project)
	}
	return nil
}

// create writes an empty state beside the file's place and moves it there, so that
// what stands there is always whole.
func (f *file) create() error {
	temporary := f.path + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("create the state file: %w", err)
	}
	db, err := bbolt.Open(temporary, 0o600, &bbolt.Options{Timeout: writeTimeout})
	if err != nil {
		return fmt.Errorf("create the state file: %w", err)
	}
	salt := f.futureSalt()
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range allBuckets {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(bucketMeta)
		return errors.Join(
			put(meta, keyFormat, []byte{formatVersion}),
			put(meta, keyProject, []byte(f.project)),
			put(meta, keyCreated, []byte(time.Now().UTC().Format(time.RFC3339))),
			put(meta, keySalt, salt),
			putUint(meta, keyEpoch, 1),
			putUint(meta, keyResynced, 0),
		)
	})
	if err = errors.Join(err, db.Close()); err == nil {
		err = wholefile.Create(temporary, f.path)
		os.Remove(temporary)
	}
	if err != nil {
		return fmt.Errorf("create the state file: %w", err)
	}
	return nil
}

// openExisting keeps bbolt from making an empty state out of a file that vanished.
func openExisting(name string, flag int, mode os.FileMode) (*os.File, error) {
	return os.OpenFile(name, flag&^os.O_CREATE, mode)
}
