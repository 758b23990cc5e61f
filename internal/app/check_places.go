package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gleapsync/state"
)

// stateWritable returns why a sync could not write the state: else it finds out.
func stateWritable(path string) error {
	folder := filepath.Dir(path)
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return state.NoFolder(path)
	}
	if err := folderWritable(folder); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the state file cannot be written: %w", err)
	}
	file.Close()
	return nil
}

// folderWritable tries to make a file in a folder, or where the folder would be made.
func folderWritable(folder string) error {
	if folder == "" {
		return nil
	}
	file, err := os.CreateTemp(folder, ".gleapsync-check-*")
	if errors.Is(err, fs.ErrNotExist) && filepath.Dir(folder) != folder {
		return folderWritable(filepath.Dir(folder))
	}
	if err != nil {
		return fmt.Errorf("nothing can be written into %s: %w", folder, errors.Unwrap(err))
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}
