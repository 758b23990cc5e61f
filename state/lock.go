package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
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

// ErrLost is returned, wrapped, once a run that holds the lock does not have the state for
// itself any more: its lock file or its state file was taken away or replaced. What it writes
// could be another run's, so it writes nothing, and has to stop.
var ErrLost = errors.New("the state was taken away from this run")

// lockFile is what a lock file holds: who locked it last, and what the state was like then.
type lockFile struct {
	LockedError
	State *Mark `json:"state,omitempty"` // nil: no run with a state is known
}

// held is a lock while it is held.
type held struct {
	lock *flock.Flock
	file lockFile
}

// Lock keeps other runs from the same state until release is called or the process
// ends. It does not wait: while another run holds the lock it returns a
// [*LockedError]. It is an error if the file is not as the last run left it.
func (s *Store) Lock() (release func(), err error) {
	lock, err := s.tryLock()
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname()
	before := readLockFile(lock.Path()).State
	s.held = &held{lock, lockFile{LockedError{"", os.Getpid(), host, time.Now().UTC().Truncate(time.Second)}, before}}
	release = func() {
		_ = s.writeMark()
		_ = lock.Unlock()
		s.held = nil
	}
	if !s.replace {
		err = s.takeOver(before)
	}
	if err == nil {
		err = s.writeMark()
	}
	if err != nil {
		_ = lock.Unlock()
		s.held = nil
		return nil, err
	}
	return release, nil
}

func (s *Store) tryLock() (*flock.Flock, error) {
	path := s.path + ".lock"
	for range 10 { // it may be removed between opening and locking
		lock := flock.New(path, flock.SetPermissions(0o600))
		locked, err := lock.TryLock()
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the folder of the state file %s does not exist: create it, or set state.path", s.path)
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

// takeOver checks that the state is as the last run left it.
func (s *Store) takeOver(before *Mark) error {
	switch _, err := os.Stat(s.path); {
	case err == nil: // another run made it meanwhile, or wrote to it
		if err := s.load(); err != nil {
			return err
		}
	case errors.Is(err, fs.ErrNotExist) && s.Exists():
		return s.goneError(s.seen)
	}
	if err := s.compare(newest(before, s.known), s.seen); err != nil {
		return err
	}
	s.held.file.State = s.seen
	return nil
}

// Held returns an error, [ErrLost], if the lock is not this run's any more. Without a lock
// there is nothing to lose.
func (s *Store) Held() error {
	if s.held != nil && !isInPlace(s.held.lock) {
		return fmt.Errorf("%w: its lock %s was removed or replaced while it was held, so that another run may have begun: nothing more is sent, and the next run goes on", ErrLost, s.held.lock.Path())
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

// writeMark writes who holds the lock, and what the state is like, so that the next run sees
// whether it is the same. The lock must be held.
func (s *Store) writeMark() error {
	if err := s.Held(); err != nil {
		return err
	}
	text, err := json.Marshal(s.held.file)
	if err == nil {
		err = overwrite(holderPath(s.held.lock.Path()), text)
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
