package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// LockedError is returned by [Store.Lock] while another run holds the lock.
type LockedError struct {
	Path  string    `json:"-"`
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("another run holds the lock %s", e.Path)
	}
	return fmt.Sprintf("another run holds the lock %s: process %d on %s, since %s", e.Path, e.PID, e.Host, e.Since.Format(time.RFC3339))
}

// ErrTakenAway is returned, wrapped, once a run that holds the lock does not have the state for
// itself any more: its lock file or its state file was taken away or replaced. What it writes
// could be another run's, so it writes nothing, and has to stop.
var ErrTakenAway = errors.New("the state was taken away from this run")

// lockFile is what a lock file holds: who locked it last, and what the state was like then.
type lockFile struct {
	LockedError
	State   *Mark    `json:"state,omitempty"`   // nil: no run with a state is known
	Running *Running `json:"running,omitempty"` // nil: it ended, or is not that far
}

// keeper sees that the state is this run's alone, and that it is as the last run left it.
type keeper struct {
	path   string       // of the state file
	known  *Mark        // see [Options]
	flock  *flock.Flock // nil: the lock is not held
	mu     sync.Mutex   // for the file's content
	file   lockFile     // as this run writes it
	lost   *Running     // the run before if it did not end, and its report is not stored
	seen   *Mark        // the file's, after the last commit or when it was read first
	unsure bool         // one more commit may have been made
}

// Lock keeps other runs from the same state until release is called or the process
// ends. It does not wait: while another run holds the lock it returns a
// [*LockedError]. It is an error if the file is not as the last run left it.
func (s *Store) Lock() (release func(), err error) {
	before, err := s.keeper.lock()
	if err != nil {
		return nil, err
	}
	if !s.replace {
		err = takeOver(s, before)
	}
	if err == nil {
		err = s.keeper.write()
	}
	if err != nil {
		s.keeper.unlock()
		return nil, err
	}
	return func() {
		s.keeper.end()
		s.keeper.unlock()
	}, nil
}

// takeOver checks that the state is as the last run left it.
func takeOver(s *Store, before *Mark) error {
	switch _, err := os.Stat(s.path); {
	case err == nil: // another run made it meanwhile, or wrote to it
		if err := s.load(); err != nil {
			return err
		}
	case errors.Is(err, fs.ErrNotExist) && s.Exists():
		return s.keeper.goneError(s.keeper.seen)
	}
	return s.keeper.accept(before)
}

// CheckLock returns an error, [ErrTakenAway], if the lock is not this run's any more. Without a
// lock there is nothing to lose.
func (s *Store) CheckLock() error { return s.keeper.check() }

// lock takes the lock, and returns what the state was like after the run that had it last.
func (k *keeper) lock() (before *Mark, err error) {
	lock, err := k.tryLock()
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname()
	file := readLockFile(lock.Path())
	k.mu.Lock()
	defer k.mu.Unlock()
	k.flock, k.lost = lock, file.Running
	k.file = lockFile{LockedError: LockedError{PID: os.Getpid(), Host: host, Since: time.Now().UTC().Truncate(time.Second)}, State: file.State, Running: file.Running}
	return file.State, nil
}

// end says that the run is over. One that was lost before stays so until its report is stored.
func (k *keeper) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.file.Running = k.lost
	_ = k.write()
}

func (k *keeper) unlock() {
	k.mu.Lock()
	defer k.mu.Unlock()
	_ = k.flock.Unlock()
	k.flock, k.file, k.lost = nil, lockFile{}, nil
}

// NoFolder returns the error that the folder of a state is not there.
func NoFolder(path string) error {
	return fmt.Errorf("the folder of the state file %s does not exist: create it, or set state.path", path)
}

func (k *keeper) tryLock() (*flock.Flock, error) {
	path := k.path + ".lock"
	for range 10 { // it may be removed between opening and locking
		lock := flock.New(path, flock.SetPermissions(0o600))
		locked, err := lock.TryLock()
		if errors.Is(err, fs.ErrNotExist) {
			return nil, NoFolder(k.path)
		}
		if err != nil {
			return nil, fmt.Errorf("lock the state: %w", err)
		}
		if !locked {
			holder := readLockFile(path).LockedError // who holds it is only a help
			holder.Path = path
			return nil, &holder
		}
		if isInPlace(lock) {
			return lock, nil
		}
		_ = lock.Unlock()
	}
	return nil, fmt.Errorf("lock the state: %s does not stay where it is", path)
}

// check returns an error, [ErrTakenAway], if the lock was taken away.
func (k *keeper) check() error {
	if k.flock != nil && !isInPlace(k.flock) {
		return fmt.Errorf("%w: its lock %s was removed or replaced while it was held, so that another run may have begun: nothing more is sent, and the next run goes on", ErrTakenAway, k.flock.Path())
	}
	return nil
}

// isInPlace reports whether the file that is locked is the one that others would lock.
func isInPlace(lock *flock.Flock) bool {
	mine, err := lock.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(lock.Path())
	return err == nil && os.SameFile(mine, there)
}

// write writes who holds the lock, and what the state is like, so that the next run sees
// whether it is the same. The lock must be held.
func (k *keeper) write() error {
	if err := k.check(); err != nil {
		return err
	}
	text, err := json.Marshal(k.file)
	if err == nil {
		err = overwrite(holderPath(k.flock.Path()), text)
	}
	if err != nil {
		return fmt.Errorf("lock the state: %w", err)
	}
	return nil
}

// overwrite replaces a file's content in place: at no moment is it empty.
func overwrite(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(text, 0)
	return errors.Join(err, file.Truncate(int64(len(text))), file.Close())
}

// readLockFile returns what a lock file says, nothing if it cannot be read.
func readLockFile(lock string) (f lockFile) {
	text, err := os.ReadFile(holderPath(lock))
	if err != nil || json.Unmarshal(text, &f) != nil {
		return lockFile{}
	}
	return f
}

// holderPath returns where it stands who holds a lock: in the lock's file, but on Windows,
// where a locked file cannot be read or written by others.
func holderPath(lock string) string {
	if runtime.GOOS == "windows" {
		return lock + ".holder"
	}
	return lock
}
