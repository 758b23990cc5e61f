package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
)

// write puts files into a folder of their own, in order of their age.
func write(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(dir, files[i])
		when := time.Date(2026, 3, 1, 0, i, 0, 0, time.UTC)
		if err := errors.Join(os.WriteFile(path, []byte(files[i+1]), 0o600), os.Chtimes(path, when, when)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(text))
	w.Close()
	return b.String()
}

// rows returns the first cells of all rows at a place. The first line of each input is a
// header.
func rows(p Place) (got []string, err error) {
	err = eachRow(context.Background(), p, func(id string) error { got = append(got, id); return nil })
	return got, err
}

func eachRow(ctx context.Context, p Place, yield func(id string) error) error {
	inputs, err := p.Find(ctx)
	if err != nil {
		return err
	}
	if inputs.Incomplete != nil {
		return inputs.Incomplete
	}
	for _, in := range inputs.All {
		if err := rowsOf(ctx, in, yield); err != nil {
			return Ended(ctx, err)
		}
	}
	return nil
}

func rowsOf(ctx context.Context, in Input, yield func(id string) error) (err error) {
	text, err := in.Open(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := text.Close(); err == nil {
			err = closeErr
		}
	}()
	for n := 0; ; n++ {
		line, err := text.ReadString('\n')
		switch {
		case err == io.EOF && n == 0 && line == "":
			return fmt.Errorf("%s: the file is empty", in.Name)
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", in.Name, err)
		case n > 0:
			id, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ",")
			if err := yield(id); err != nil {
				return err
			}
		}
	}
}

// identified returns what identifies the inputs at a place, "" if nothing does.
func identified(t *testing.T, p Place) string {
	t.Helper()
	inputs, err := p.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var now strings.Builder
	if !inputs.Identify(&now, io.Discard) {
		return ""
	}
	return now.String()
}

// TestEndlessManifest: at a deadline the reading of a manifest ends, whatever it is.
func TestEndlessManifest(t *testing.T) {
	for name, again := range map[string]string{"line breaks": "\n", "one name": "x", "gzip of nothing": gzipped(""), "gzip": gzipped(strings.Repeat("\n", 1<<20))} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		in := Input{Name: "manifest", Raw: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(&endless{again: []byte(again)}), nil
		}}
		began := time.Now()
		if _, err := (Place{}).checkManifests(ctx, []Input{in}); err == nil || time.Since(began) > 20*time.Second {
			t.Errorf("%s: %v after %s", name, err, time.Since(began))
		}
	}
}

// endless is a piece of text again and again.
type endless struct{ again, rest []byte }

func (e *endless) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		e.rest = e.again
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}
