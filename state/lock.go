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

// Lock keeps other runs from the same state until release is called or the process
// ends. It does not wait: while another run holds the lock it returns a
// [*LockedError].
func (s *Store) Lock() (release func(), err error) {
	path := s.path + ".lock"
	lock := flock.New(path, flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the folder of the state file %s does not exist: create it, or set state.path", s.path)
	}
	if err != nil {
		return nil, fmt.Errorf("lock the state: %w", err)
	}
	if !locked {
		holder := &LockedError{Path: path}
		if text, err := os.ReadFile(holderPath(path)); err == nil {
			_ = json.Unmarshal(text, holder) // who holds it is only a help
		}
		return nil, holder
	}
	host, _ := os.Hostname()
	holder, err := json.Marshal(LockedError{"", os.Getpid(), host, time.Now().UTC().Truncate(time.Second)})
	if err == nil {
		err = os.WriteFile(holderPath(path), holder, 0o600)
	}
	if err != nil {
		_ = lock.Unlock()
		return nil, fmt.Errorf("lock the state: %w", err)
	}
	release = func() { _ = lock.Unlock() }
	if _, err := os.Stat(s.path); err == nil && !s.Exists() && !s.replace { // another run made it meanwhile
		if err := s.load(); err != nil {
			release()
			return nil, err
		}
	}
	return release, nil
}

// holderPath returns where it stands who holds a lock: in the lock's file, but on Windows,
// where a locked file cannot be read or written by others.
func holderPath(lock string) string {
	if runtime.GOOS == "windows" {
		return lock + ".holder"
	}
	return lock
}
