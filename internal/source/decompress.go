package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"gleapsync/internal/bucket"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// decompress returns the text of r, which may be gzip or zstd, as its first bytes tell. It
// reports whether it is neither.
func decompress(r io.Reader) (text io.ReadCloser, isPlain bool) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	magic, _ := buffered.Peek(4)
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		unzip, err := gzip.NewReader(buffered)
		if err != nil {
			return io.NopCloser(failed{compressionError("gzip", err)}), false
		}
		return &decompressor{unzip, "gzip", unzip.Close}, false
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		unzip, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(128<<20))
		if err != nil {
			return io.NopCloser(failed{compressionError("zstd", err)}), false
		}
		return &decompressor{unzip, "zstd", func() error { unzip.Close(); return nil }}, false
	}
	return io.NopCloser(buffered), true
}

// failed is a text of which nothing can be read.
type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }

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
	case errors.As(err, &path), errors.As(err, new(*UnreadableError)), errors.Is(err, bucket.ErrChanged): // the disk or the source, not the data
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("its %s data breaks off: the export is not complete; export it again, and the next run takes it", format)
	}
	return fmt.Errorf("its %s data is damaged: %w", format, err)
}
