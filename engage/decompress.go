package engage

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

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
	case errors.As(err, &path), errors.As(err, new(*UnreadableError)): // the disk or the source, not the data
		return err
	case errors.As(err, new(*UnreadableError)), errors.Is(err, errChanged):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("its %s data breaks off: the export is not complete", format)
	}
	return fmt.Errorf("its %s data is damaged: %w", format, err)
}
