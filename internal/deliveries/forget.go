package deliveries

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Forget takes all deliveries to these contacts out of a log, and says how many there were.
// Nothing may be written to it meanwhile.
func Forget(dir string, userIDs []string) (forgotten int, err error) {
	days, err := list(dir)
	if err != nil {
		return 0, fmt.Errorf("the log of deliveries: %w", err)
	}
	for _, day := range days {
		n, err := forget(filepath.Join(dir, day), userIDs)
		forgotten += n
		if err != nil {
			return forgotten, fmt.Errorf("the log of deliveries: %w", err)
		}
	}
	return forgotten, nil
}

func forget(path string, userIDs []string) (forgotten int, err error) {
	isOf := about(userIDs)
	read := func(do func(line []byte) error) error {
		r, close, err := open(path)
		if err != nil {
			return err
		}
		defer close()
		return eachLine(r, do)
	}
	if err := read(func(line []byte) error {
		if isOf(line) {
			forgotten++
		}
		return nil
	}); err != nil || forgotten == 0 {
		return 0, err
	}
	_, err = os.Stat(path + plain)
	wasCompressed := errors.Is(err, fs.ErrNotExist)
	if err := decompress(path); err != nil {
		return 0, err
	}
	err = replace(path+plain, func(w io.Writer) error {
		lines := bufio.NewWriter(w)
		err := read(func(line []byte) error {
			if isOf(line) {
				return nil
			}
			_, err := lines.Write(append(line[:len(line):len(line)], '\n'))
			return err
		})
		return errors.Join(err, lines.Flush())
	})
	if err == nil && wasCompressed {
		err = compress(path)
	}
	return forgotten, err
}
