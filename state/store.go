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
	"sync"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"gleapsync/internal/wholefile"
)

// The versions of the file's format that this package reads and writes:
// docs/state-format.md. A file has the second one from its first change export on, the
// third one from its first event on, and the fourth one once it has a contact that was
// forgotten in another file.
const (
	formatVersion     = 1
	formatWithChanges = 2
	formatWithEvents  = 3
	formatWithSalts   = 4
)

var (
	bucketMeta       = []byte("meta")
	bucketAttributes = []byte("attributes")
	bucketRecords    = []byte("records")
	bucketParked     = []byte("parked")
	bucketRuns       = []byte("runs")
	bucketForgotten  = []byte("forgotten")
	bucketChanges    = []byte("changes") // these two only from [formatWithChanges] on
	bucketFiles      = []byte("files")
	// These only with [formatWithEvents] and later ones.
	bucketEvents       = []byte("events")
	bucketParkedEvents = []byte("parked_events")
	bucketMessages     = []byte("messages")

	bucketDeletions = []byte("deletions") // only in a file that ever had to delete contacts

	lateBuckets = [][]byte{bucketChanges, bucketFiles, bucketEvents, bucketParkedEvents, bucketMessages}

	allBuckets = [][]byte{bucketMeta, bucketAttributes, bucketRecords, bucketParked, bucketRuns, bucketForgotten}

	keyFormat   = []byte("format")
	keyProject  = []byte("project")
	keyCreated  = []byte("created")
	keySalt     = []byte("salt")
	keyEpoch    = []byte("epoch")
	keyResynced = []byte("resynced")
	keyPace     = []byte("pace")
	keyHistory  = []byte("history")
	keyBooleans = []byte("booleans")

	keyProperties = []byte("properties")

	keyUnanswered = []byte("unanswered")
	keyTurns      = []byte("turns")
	keyFields     = []byte("fields")

	keyCommits = []byte("commits")
	keyErased  = []byte("erased")
	keyOwed    = []byte("deletions")
)

// ErrDamaged is what every method returns, wrapped, for a file that bbolt or this
// package cannot read.
var ErrDamaged = errors.New("the state file is damaged")

// How long to wait for another process that holds the file open. A commit and a slice of
// records take well under a second; a commit also waits for a backup of a large file.
const (
	readTimeout  = 10 * time.Second
	writeTimeout = 2 * time.Minute
)

// Options says which file to open.
type Options struct {
	Path      string
	Project   string // the Gleap project; a file of another one is refused
	MustExist bool   // a file that is not there is an error, not a first run
	Known     *Mark  // what this process knows of the file, nil: nothing
}

// Store is a state file. Its methods may be called by several goroutines.
type Store struct {
	path    string
	project string
	salt    []byte // nil as long as there is no file
	replace bool   // the present file does not matter
	known   *Mark  // see [Options]

	writing sync.Mutex
	held    *held // the lock, nil: not held
	seen    *Mark // the file's, after the last commit or when it was read first
	unsure  bool  // one more commit may have been made
}

// Open checks the file and returns a store for it. A file that does not exist is an
// empty store, unless o.MustExist; [Store.Begin] creates it. An error says what is
// wrong and what to do.
func Open(o Options) (*Store, error) {
	s := &Store{path: o.Path, project: o.Project, known: o.Known}
	info, err := os.Stat(o.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && o.MustExist:
		return nil, fmt.Errorf("the state file %s does not exist and must_exist is set: mount its volume or restore a backup (for a first run set must_exist = false)", o.Path)
	case errors.Is(err, fs.ErrNotExist):
		return s, s.missing()
	case err != nil:
		return nil, fmt.Errorf("the state file cannot be read: %w", err)
	case info.IsDir():
		return nil, fmt.Errorf("%s is a folder: set state.path to a file in it", o.Path)
	case info.Size() == 0:
		return nil, fmt.Errorf("%w: %s is empty: restore a backup, or move it and its lock file away to start with a full sync", ErrDamaged, o.Path)
	}
	return s, s.load()
}

// load reads what the store keeps of the file.
func (s *Store) load() error {
	return s.view(func(tx *bbolt.Tx) error {
		salt := get(tx.Bucket(bucketMeta), keySalt)
		if len(salt) != sha256.Size {
			return s.damaged(errors.New("the salt is missing"))
		}
		s.salt = bytes.Clone(salt)
		seen := markOf(tx)
		s.seen = &seen
		return nil
	})
}

// Replace returns a store whose file is about to be replaced by [Store.Restore], so that
// it does not matter what it is like.
func Replace(o Options) *Store { return &Store{path: o.Path, project: o.Project, replace: true} }

// Exists reports whether there is a file yet.
func (s *Store) Exists() bool { return s.salt != nil }

// Path returns the file's path.
func (s *Store) Path() string { return s.path }

// view runs fn in a read transaction. Nothing that fn sees may be kept.
func (s *Store) view(fn func(*bbolt.Tx) error) error {
	return s.do(&bbolt.Options{ReadOnly: true, Timeout: readTimeout}, (*bbolt.DB).View, fn)
}

// update runs fn in a write transaction and returns after it is on the disk.
func (s *Store) update(fn func(*bbolt.Tx) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.Held(); err != nil {
		return err
	}
	var after Mark
	options := &bbolt.Options{Timeout: writeTimeout, FreelistType: bbolt.FreelistMapType, OpenFile: openExisting}
	err := s.do(options, (*bbolt.DB).Update, func(tx *bbolt.Tx) error {
		if err := s.checkCommits(tx); err != nil {
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
	s.wrote(after, err)
	return err
}

// openExisting keeps bbolt from making an empty state out of a file that vanished.
func openExisting(name string, flag int, mode os.FileMode) (*os.File, error) {
	return os.OpenFile(name, flag&^os.O_CREATE, mode)
}

// do opens the file, checks what it is, runs one transaction and closes the file.
func (s *Store) do(o *bbolt.Options, run func(*bbolt.DB, func(*bbolt.Tx) error) error, fn func(*bbolt.Tx) error) (err error) {
	// bbolt reads the file through a memory map: what is damaged can panic, and a
	// page behind the end of the file is a fault.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = s.damaged(fmt.Errorf("%v", p))
		}
	}()
	db, err := bbolt.Open(s.path, 0o600, o)
	if err != nil {
		return s.openError(err)
	}
	defer db.Close()
	return run(db, func(tx *bbolt.Tx) error {
		if err := s.check(tx); err != nil {
			return err
		}
		return fn(tx)
	})
}

func (s *Store) openError(err error) error {
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("the state file %s is held by another process for too long: end that process, then try again", s.path)
	case errors.Is(err, fs.ErrNotExist) && s.held != nil && s.seen != nil:
		return fmt.Errorf("%w: %s is gone, and what Gleap took last cannot be stored: nothing more is sent. Put it back, or run gleapsync restore with a backup", ErrLost, s.path)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the state file cannot be opened: %w", err)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum):
		return fmt.Errorf("%w: %s is not a state file of gleapsync or lost its start: restore a backup, or move it and its lock file away to start with a full sync", ErrDamaged, s.path)
	}
	if errors.As(err, new(syscall.Errno)) {
		return fmt.Errorf("the state file %s cannot be opened: %w", s.path, err)
	}
	return s.damaged(err) // it is too short to have pages, for one
}

func (s *Store) damaged(err error) error {
	return fmt.Errorf("%w: %s: %w: restore a backup, or move it and its lock file away to start with a full sync", ErrDamaged, s.path, err)
}

// check makes sure that the open file is whole and is the one that was asked for.
func (s *Store) check(tx *bbolt.Tx) error {
	if info, err := os.Stat(s.path); err == nil && info.Size() < tx.Size() {
		return s.damaged(fmt.Errorf("%d of its %d bytes are there", info.Size(), tx.Size()))
	}
	if s.salt == nil { // the first time
		if err := checkPages(tx, false); err != nil {
			return s.damaged(err)
		}
	}
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		return fmt.Errorf("%s is a bbolt file, but not a state file of gleapsync: set state.path to another file", s.path)
	}
	// The version is the first byte of its value: that much every version can read.
	v := append(bytes.Clone(meta.Get(keyFormat)), 0)[0]
	if v < formatVersion || v > formatWithSalts {
		return fmt.Errorf("the state file %s has format version %d, this gleapsync reads versions up to %d: use the version of gleapsync that wrote it", s.path, v, formatWithSalts)
	}
	needed := allBuckets
	if v >= formatWithEvents {
		needed = slices.Concat(allBuckets, lateBuckets)
	}
	for _, name := range needed {
		if tx.Bucket(name) == nil {
			return s.damaged(fmt.Errorf("the bucket %q is missing", name))
		}
	}
	if err := each(meta, func(_, _ []byte) error { return nil }); err != nil {
		return s.damaged(err)
	}
	if project := string(get(meta, keyProject)); project != s.project {
		return fmt.Errorf("the state file %s belongs to the project %q, not to %q: set project or state.path to what goes together", s.path, project, s.project)
	}
	return nil
}

// create writes an empty state beside the file's place and moves it there, so that
// what stands there is always whole.
func (s *Store) create() error {
	temporary := s.path + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("create the state file: %w", err)
	}
	db, err := bbolt.Open(temporary, 0o600, &bbolt.Options{Timeout: writeTimeout})
	if err != nil {
		return fmt.Errorf("create the state file: %w", err)
	}
	salt := make([]byte, sha256.Size)
	rand.Read(salt)
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range allBuckets {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(bucketMeta)
		return errors.Join(
			put(meta, keyFormat, []byte{formatVersion}),
			put(meta, keyProject, []byte(s.project)),
			put(meta, keyCreated, []byte(time.Now().UTC().Format(time.RFC3339))),
			put(meta, keySalt, salt),
			putUint(meta, keyEpoch, 1),
			putUint(meta, keyResynced, 0),
		)
	})
	if err = errors.Join(err, db.Close()); err == nil {
		err = wholefile.Create(temporary, s.path)
		os.Remove(temporary)
	}
	if err != nil {
		return fmt.Errorf("create the state file: %w", err)
	}
	return s.load()
}
