package sync

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// spool is a sequence of bytes that is written once, then read: in memory as long as
// it is small, in a temporary file above.
type spool struct {
	create createTemp
	file   tempFile // nil: all is in buf
	buf    []byte
	size   int64 // of what is in file
}

// spoolBuffer is what a spool keeps in memory.
const spoolBuffer = 256 << 10

func (s *spool) Write(b []byte) (int, error) {
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

// position returns how much was written.
func (s *spool) position() int64 { return s.size + int64(len(s.buf)) }

func (s *spool) flush() error {
	err := s.writeFile(s.buf)
	s.buf = s.buf[:0]
	return err
}

func (s *spool) writeFile(b []byte) error {
	if s.file == nil {
		file, err := s.create()
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
func (s *spool) section(from, to int64) io.Reader {
	var parts []io.Reader
	if from < s.size {
		parts = append(parts, io.NewSectionReader(s.file, from, min(to, s.size)-from))
	}
	if to > s.size {
		parts = append(parts, bytes.NewReader(s.buf[max(from, s.size)-s.size:to-s.size]))
	}
	return io.MultiReader(parts...)
}

func (s *spool) close() {
	if s.file != nil {
		s.file.Close()
		os.Remove(s.file.Name()) // where an open file cannot be unlinked
	}
	*s = spool{create: s.create}
}

// createTemp creates a temporary file.
type createTemp func() (tempFile, error)

type tempFile interface {
	io.Writer
	io.ReaderAt
	io.Closer
	Name() string
}

const tempPattern = "gleapsync-*.tmp"

// tempIn creates files in a folder that only this process can find: they are unlinked at
// once where the system allows that.
func tempIn(dir string) createTemp {
	return func() (tempFile, error) {
		file, err := os.CreateTemp(dir, tempPattern)
		if err != nil {
			return nil, fmt.Errorf("create a temporary file (sync.temp_dir): %w", err)
		}
		_ = os.Remove(file.Name())
		return file, nil
	}
}

// removeLeftovers removes the files that a killed run left where an open file cannot be
// unlinked, or between the creation of one and that. No other run needs those that it
// can find.
func removeLeftovers(dir string) {
	left, _ := fs.Glob(os.DirFS(dir), tempPattern)
	for _, name := range left {
		_ = os.Remove(filepath.Join(dir, name))
	}
}

// errTemp is returned where a temporary file does not hold what was written.
var errTemp = errors.New("a temporary file was changed by somebody else")
