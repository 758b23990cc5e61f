package source

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
)

// Text is an input's text that is being read: what was compressed is unpacked, and it
// begins behind the byte order mark, if there is one.
type Text struct {
	*bufio.Reader
	ctx      context.Context // of the one who reads: [io.Reader] has none
	raw      io.ReadCloser   // as it was stored
	unpacked io.ReadCloser
	isRaw    bool     // the text is what was stored
	temp     *os.File // a copy, see [Text.At]
}

var byteOrderMark = []byte{0xef, 0xbb, 0xbf}

// Open opens the input. Reading ends when ctx does, whoever reads: there may be no end of
// line breaks, or of compressed nothing. What is not sound of compressed data is an error
// of the reading.
func (in Input) Open(ctx context.Context) (*Text, error) {
	raw, err := in.Raw(ctx)
	if err != nil {
		return nil, err
	}
	unpacked, isRaw := decompress(reading{ctx, raw})
	t := &Text{bufio.NewReaderSize(reading{ctx, unpacked}, 256<<10), ctx, raw, unpacked, isRaw, nil}
	if start, _ := t.Peek(len(byteOrderMark)); bytes.Equal(start, byteOrderMark) {
		_, _ = t.Discard(len(byteOrderMark))
		t.isRaw = false
	}
	return t, nil
}

// At gives random access to the text, of which nothing was read before, until it is closed.
// What is no plain file is copied into a temporary one in tempDir, "": the system's.
func (t *Text) At(tempDir string) (r io.ReaderAt, size int64, err error) {
	if f, ok := t.raw.(*openFile); ok && t.isRaw {
		return readingAt{t.ctx, f}, f.found.Size(), nil
	}
	if t.temp, err = os.CreateTemp(tempDir, "gleapsync-*.tmp"); err != nil {
		return nil, 0, Unreadable("create a temporary file (sync.temp_dir): %v", err)
	}
	_ = os.Remove(t.temp.Name()) // the name; where an open file cannot be unlinked, Close does
	size, err = io.Copy(spoolWriter{t.temp}, t)
	return readingAt{t.ctx, t.temp}, size, err
}

// Close ends the reading. The error says why what was read cannot be trusted.
func (t *Text) Close() error {
	if t.temp != nil {
		t.temp.Close()
		_ = os.Remove(t.temp.Name())
	}
	t.unpacked.Close()
	return t.raw.Close()
}

// spoolWriter tells a full disk from a source that cannot be read.
type spoolWriter struct{ file *os.File }

func (w spoolWriter) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	if err != nil {
		err = Unreadable("write a temporary file (sync.temp_dir): %v", err)
	}
	return n, err
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

// Ended returns err, or what ended ctx: what came of that is not the source's fault.
func Ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
