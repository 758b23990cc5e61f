// Package tempdir makes folders for temporary files that need their names. A process that is killed
// leaves its folder, and so the lock in it: a folder whose lock nobody holds is left over.
//
// Files without names are better where they will do: see [gleapsync/internal/extsort.TempIn].
package tempdir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

const lockName = "lock"

// Dir is a folder that is this process's alone.
type Dir struct {
	path string
	lock *flock.Flock
}

// New makes a folder in parent, mode 0700, whose name begins with prefix. Before that it removes
// those that are left over.
func New(parent, prefix string) (*Dir, error) {
	RemoveLeft(parent, prefix)
	for range 10 {
		path, err := os.MkdirTemp(parent, prefix+"*")
		if err != nil {
			return nil, err
		}
		d := &Dir{path, flock.New(filepath.Join(path, lockName), flock.SetPermissions(0o600))}
		locked, err := d.lock.TryLock()
		if err != nil { // there are file systems without locks: there it stays after a kill, and no more
			return d, nil
		}
		if _, err := os.Stat(d.Join(lockName)); locked && err == nil {
			return d, nil
		}
		d.Remove() // another process took it for one that is left over, before it was locked
	}
	return nil, errors.New("another process takes temporary folders for left over")
}

// Join returns the path of a file in the folder.
func (d *Dir) Join(name string) string { return filepath.Join(d.path, name) }

// Remove removes the folder with all that is in it.
func (d *Dir) Remove() {
	_ = os.RemoveAll(d.path) // still locked, so that nobody else finds it without
	_ = d.lock.Close()
	_ = os.RemoveAll(d.path) // where an open file cannot be removed
}

// RemoveLeft removes the folders in parent that [New] made with a prefix for processes that were
// killed since.
func RemoveLeft(parent, prefix string) {
	all, _ := fs.Glob(os.DirFS(parent), prefix+"*")
	for _, name := range all {
		path := filepath.Join(parent, name)
		lock := flock.New(filepath.Join(path, lockName), flock.SetFlag(os.O_RDWR)) // which is not made here
		if locked, _ := lock.TryLock(); locked {
			(&Dir{path, lock}).Remove()
		}
	}
}
