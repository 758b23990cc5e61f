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
	t, err := newText(raw)
	if err != nil {
		raw.Close()
		return nil, fmt.Errorf("%s: %w", in.name, err)
	}
	return t, nil
}

func newText(raw io.ReadCloser) (*text, error) {
	unpacked, err := decompress(raw)
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
