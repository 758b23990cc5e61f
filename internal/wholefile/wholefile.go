// Package wholefile gives files their names once they are complete, so that nobody finds a
// half of one, not after a power cut either. google/renameio does the same, but not on Windows.
package wholefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Beside writes a new file, mode 0600, into the folder of path, and returns its name. The
// caller removes it; that fails if it was moved, and does not matter then.
func Beside(path string, content []byte) (temporary string, err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.new")
	if err != nil {
		return "", err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		os.Remove(file.Name())
		return "", err
	}
	return file.Name(), nil
}

// Replace moves a file to path, in the place of one that is there.
func Replace(temporary, path string) error {
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	SyncFolder(filepath.Dir(path))
	return nil
}

// Create gives a file the name path, unless there is one: then the error is [fs.ErrExist].
// The file may keep its other name too.
func Create(temporary, path string) error {
	// A link, unlike a rename, never replaces a file that came to be meanwhile.
	err := os.Link(temporary, path)
	if _, there := os.Lstat(path); err != nil && errors.Is(there, fs.ErrNotExist) {
		err = os.Rename(temporary, path) // a file system without links
	}
	if err != nil {
		return err
	}
	SyncFolder(filepath.Dir(path))
	return nil
}

// SyncFolder makes the names in a folder last; not every system can, and then nothing is
// lost but a file's new name.
func SyncFolder(path string) {
	if folder, err := os.Open(path); err == nil {
		_ = folder.Sync()
		folder.Close()
	}
}
