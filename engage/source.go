package engage

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Source is an export whose files were found. Nothing of them is read yet.
type Source struct {
	export Export
	files  []file
}

type file struct {
	path string // to open
	name string // for people: as the configuration has it
	size int64
	time time.Time
}

// UnreadableError says that an export's files are not there or cannot be read, as
// opposed to files whose content is of no use.
type UnreadableError struct{ reason string }

func (e *UnreadableError) Error() string { return e.reason }

func unreadable(format string, args ...any) error {
	return &UnreadableError{fmt.Sprintf(format, args...)}
}

// Open finds the files of e. The error is an [*UnreadableError]: it says why they are
// not there, or why it cannot tell which of them is meant.
func (e Export) Open() (*Source, error) {
	paths, err := e.paths()
	if err != nil {
		return nil, err
	}
	s := &Source{export: e}
	for _, path := range paths {
		name := path
		if rel, err := filepath.Rel(e.Dir, path); err == nil && !filepath.IsAbs(e.Source) {
			name = rel
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, readable(name, err)
		}
		if !info.Mode().IsRegular() {
			return nil, unreadable("%s is not a file", name)
		}
		s.files = append(s.files, file{path, name, info.Size(), info.ModTime()})
	}
	if e.Pick == PickNewest {
		newest := slices.MaxFunc(s.files, func(a, b file) int {
			return cmp.Or(a.time.Compare(b.time), cmp.Compare(a.path, b.path))
		})
		s.files = []file{newest}
	}
	return s, nil
}

func (e Export) paths() ([]string, error) {
	path, pattern := e.Source, e.Source
	if !filepath.IsAbs(path) {
		path = filepath.Join(e.Dir, path)
		pattern = filepath.Join(globEscaper.Replace(e.Dir), e.Source)
	}
	if _, err := os.Lstat(path); err == nil || !strings.ContainsAny(e.Source, `*?[`) {
		return []string{path}, nil
	}
	matches, err := filepath.Glob(pattern)
	switch {
	case err != nil:
		return nil, unreadable("%s is not a valid pattern", e.Source)
	case len(matches) == 0:
		return nil, unreadable("no file matches %s", e.Source)
	case len(matches) > 1 && e.Pick == PickOne:
		return nil, unreadable(`%s matches %d files: set pick to "newest", or to "all" if they are parts of one snapshot`, e.Source, len(matches))
	}
	return matches, nil
}

// globEscaper makes a folder's name stand for itself in a pattern.
var globEscaper = strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]")

// readable makes a file system's error one for people.
func readable(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return unreadable("%s does not exist", name)
	case errors.Is(err, fs.ErrPermission):
		return unreadable("%s may not be read: permission denied", name)
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return unreadable("%s cannot be read: %v", name, err)
}

// Fingerprint identifies what would be read: the files by name, size and time of
// change, and the settings that reading depends on. It is equal only as long as
// reading again would give the same rows.
func (s *Source) Fingerprint() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", s.export)
	for _, f := range s.files {
		fmt.Fprintf(h, "%q %d %d\n", f.path, f.size, f.time.UnixNano())
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// AsOf returns the time of the data: when the newest of the files was changed.
func (s *Source) AsOf() time.Time {
	var newest time.Time
	for _, f := range s.files {
		if f.time.After(newest) {
			newest = f.time
		}
	}
	return newest
}

// open returns the text of f. Closing it checks that f did not change while it
// was read.
func (f file) open() (*fileReader, error) {
	raw, err := os.Open(f.path)
	if err != nil {
		return nil, readable(f.name, err)
	}
	r := &fileReader{file: f, raw: raw}
	if r.text, err = decompress(raw); err != nil {
		raw.Close()
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	return r, nil
}

type fileReader struct {
	file
	raw  *os.File
	text io.ReadCloser
}

func (r *fileReader) Read(p []byte) (int, error) { return r.text.Read(p) }

func (r *fileReader) Close() error {
	defer r.raw.Close()
	defer r.text.Close()
	now, err := r.raw.Stat()
	if err != nil {
		return readable(r.name, err)
	}
	if byPath, err := os.Stat(r.path); err != nil || !os.SameFile(now, byPath) ||
		now.Size() != r.size || !now.ModTime().Equal(r.time) {
		return fmt.Errorf("%s changed while it was read", r.name)
	}
	return nil
}

// decompress returns the text of r, which may be gzip or zstd, as its first
// bytes tell.
func decompress(r io.Reader) (io.ReadCloser, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	magic, _ := buffered.Peek(4)
	var text io.ReadCloser = io.NopCloser(buffered)
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		unzip, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, compressionError("gzip", err)
		}
		text = &decompressor{unzip, "gzip", unzip.Close}
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		unzip, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(128<<20))
		if err != nil {
			return nil, compressionError("zstd", err)
		}
		text = &decompressor{unzip, "zstd", func() error { unzip.Close(); return nil }}
	}
	return text, nil
}

// decompressor tells input that breaks off from input that is damaged.
type decompressor struct {
	io.Reader
	format string
	close  func() error
}

func (d *decompressor) Close() error { return d.close() }

func (d *decompressor) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = compressionError(d.format, err)
	}
	return n, err
}

func compressionError(format string, err error) error {
	var path *fs.PathError
	switch {
	case errors.As(err, &path): // the disk, not the data
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("its %s data breaks off: the export is not complete", format)
	}
	return fmt.Errorf("its %s data is damaged: %w", format, err)
}
