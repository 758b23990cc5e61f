package engage

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// text is an input's text that is being read: what was compressed is unpacked, and it
// begins behind the byte order mark, if there is one.
type text struct {
	*bufio.Reader
	raw   io.ReadCloser // as it was stored
	close func() error  // see [input]
}

// openText opens an input that has text, or what can be read as such. What is no export
// is an error that says what it is instead. Errors name the input.
func openText(ctx context.Context, in input) (*text, error) {
	raw, err := in.open(ctx)
	if err != nil {
		return nil, err
	}
	t, err := newText(ctx, raw)
	if err != nil {
		raw.Close()
		return nil, fmt.Errorf("%s: %w", in.name, err)
	}
	return t, nil
}

func newText(ctx context.Context, raw io.ReadCloser) (*text, error) {
	unpacked, err := uncompressed(ctx, raw)
	if err != nil {
		return nil, err
	}
	t := &text{bufio.NewReaderSize(unpacked, 256<<10), raw, func() error {
		unpacked.Close()
		return raw.Close()
	}}
	if err := t.begin(); err != nil {
		unpacked.Close()
		return nil, err
	}
	return t, nil
}

// uncompressed returns the text of what is stored. Reading it ends when ctx does, whoever reads:
// there may be no end of line breaks, or of compressed nothing.
func uncompressed(ctx context.Context, raw io.Reader) (io.ReadCloser, error) {
	unpacked, err := decompress(reading{ctx, raw})
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{reading{ctx, unpacked}, unpacked}, nil
}

// reading ends when its context does. It is asked once for each buffer that is filled.
type reading struct {
	ctx context.Context
	r   io.Reader
}

func (r reading) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}

// ended returns err, or what ended ctx: what came of that is not the source's fault.
func ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// readingAt is [reading] for a file that is not read from its start to its end.
type readingAt struct {
	ctx context.Context
	r   io.ReaderAt
}

func (r readingAt) ReadAt(p []byte, offset int64) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.ReadAt(p, offset)
}

var errEmpty = errors.New("the file is empty")

var utf8BOM = []byte{0xef, 0xbb, 0xbf}

// begin passes over the byte order mark, and looks at what is behind it.
func (t *text) begin() error {
	if start, _ := t.Peek(len(utf8BOM)); bytes.Equal(start, utf8BOM) {
		_, _ = t.Discard(len(utf8BOM))
	}
	start, err := t.Peek(4 << 10)
	switch {
	case len(bytes.TrimSpace(start)) > 0:
		return foreign(start)
	case err == io.EOF:
		return errEmpty
	case len(start) == 0:
		return err
	}
	return nil
}
