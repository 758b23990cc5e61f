package extsort

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Spool is a sequence of bytes that is written once, then read: in memory as long as
// it is small, in a temporary file above.
type Spool struct {
	Create CreateTemp // is called when there is too much for the memory
	file   TempFile   // nil: all is in buf
	buf    []byte
	size   int64  // of what is in file
	row    []byte // that was written last
}

// spoolBuffer is what a spool keeps in memory.
const spoolBuffer = 256 << 10

// Write appends to the spool. The error is one of creating or writing the temporary file.
func (s *Spool) Write(b []byte) (int, error) {
	if len(s.buf)+len(b) > spoolBuffer {
		if err := s.flush(); err != nil {
			return 0, err
		}
	}
	if len(b) > spoolBuffer {
		return len(b), s.writeFile(b)
	}
	if s.buf == nil {
		s.buf = make([]byte, 0, 4<<10)
	}
	s.buf = append(s.buf, b...)
	return len(b), nil
}

// Position returns how much was written.
func (s *Spool) Position() int64 { return s.size + int64(len(s.buf)) }

func (s *Spool) flush() error {
	err := s.writeFile(s.buf)
	s.buf = s.buf[:0]
	return err
}

func (s *Spool) writeFile(b []byte) error {
	if s.file == nil {
		file, err := s.Create()
		if err != nil {
			return err
		}
		s.file = file
	}
	n, err := s.file.Write(b)
	s.size += int64(n)
	if err != nil {
		return fmt.Errorf("write a temporary file (sync.temp_dir): %w", err)
	}
	return nil
}

// section reads what was written between two positions. Nothing may be written any
// more.
func (s *Spool) section(from, to int64) io.Reader {
	var parts []io.Reader
	if from < s.size {
		parts = append(parts, io.NewSectionReader(s.file, from, min(to, s.size)-from))
	}
	if to > s.size {
		parts = append(parts, bytes.NewReader(s.buf[max(from, s.size)-s.size:to-s.size]))
	}
	return io.MultiReader(parts...)
}

// Close forgets what was written.
func (s *Spool) Close() {
	if s.file != nil {
		s.file.Close()
		os.Remove(s.file.Name()) // where an open file cannot be unlinked
	}
	*s = Spool{Create: s.Create}
}

// CreateTemp creates a temporary file.
type CreateTemp func() (TempFile, error)

// TempFile is what is needed of a temporary file.
type TempFile interface {
	io.Writer
	io.ReaderAt
	io.Closer
	Name() string
}

const tempPattern = "gleapsync-*.tmp"

// TempIn creates files in a folder that only this process can find: they are unlinked at
// once where the system allows that.
func TempIn(dir string) CreateTemp {
	return func() (TempFile, error) {
		file, err := os.CreateTemp(dir, tempPattern)
		if err != nil {
			return nil, fmt.Errorf("create a temporary file (sync.temp_dir): %w", err)
		}
		_ = os.Remove(file.Name())
		return file, nil
	}
}

// RemoveLeftovers removes the files that a killed run left where an open file cannot be
// unlinked, or between the creation of one and that. No other run needs those that it
// can find.
func RemoveLeftovers(dir string) {
	left, _ := fs.Glob(os.DirFS(dir), tempPattern)
	for _, name := range left {
		_ = os.Remove(filepath.Join(dir, name))
	}
}

// ErrTemp is returned where a temporary file does not hold what was written.
var ErrTemp = errors.New("a temporary file was changed by somebody else")
