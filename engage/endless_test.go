package engage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"gleapsync/internal/attr"
	"gleapsync/internal/parquet"
	"gleapsync/internal/rounds"
	"gleapsync/internal/source"
	"gleapsync/internal/table"
)

// endless is a text that goes on for ever: a beginning, and then one piece again and again.
type endless struct {
	begin, again []byte
	rest         []byte
}

func (e *endless) Read(p []byte) (int, error) {
	if e.rest == nil {
		e.rest = e.begin
		e.again = bytes.Repeat(e.again, 1+(64<<10)/len(e.again))
	}
	if len(e.rest) == 0 {
		e.rest = e.again
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

func (e *endless) Close() error { return nil }

// endlessTexts are texts that never end, as they are stored. Nobody can tell from their
// beginning.
var endlessTexts = map[string]struct{ begin, again string }{
	"line breaks":                {"", "\n"},
	"CSV, then line breaks":      {"user_id,x\n", "\r\n"},
	"JSON, then line breaks":     {`{"user_id":"u1"}` + "\n", "\n"},
	"JSON, then blanks":          {`{"user_id":"u1"}` + "\n", "   \n"},
	"rows without a user":        {"user_id,x\n", ",1\n"},
	"rows of one profile":        {"key,user_id,x\n", "p1,,1\n"},
	"broken rows":                {"user_id,x\n", "u1,\"\"1\n"},
	"a header":                   {"user_id", ",x"},
	"a row":                      {"user_id,x\nu1,", "x"},
	"a quote":                    {"user_id,x\n\"", "u1,1\n"},
	"a line of JSON":             {`{"user_id":"u1","x":"`, "x"},
	"a list of changes":          {"audience_name,audience_action,user_id,timestamp\n", "\n"},
	"other calls":                {"", `{"type":"group"}` + "\n"},
	"line breaks in gzip":        {"", gzipped(strings.Repeat("\n", 1<<20))},
	"CSV in gzip, line breaks":   {gzipped("user_id\n"), gzipped(strings.Repeat("\n", 1<<20))},
	"gzip of nothing":            {gzipped("user_id\n"), gzipped("")},
	"line breaks in zstd":        {zstded("user_id\n"), zstded(strings.Repeat("\n", 1<<20))},
	"zstd with frames to skip":   {zstded("user_id\n"), "\x50\x2a\x4d\x18\x00\x00\x00\x00"},
	"Parquet that has to be put": {parquet.Magic, "x"},
}

// endlessReaders are all ways in which an input's text is read.
var endlessReaders = map[string]func(context.Context, *Source) error{
	"snapshot": func(ctx context.Context, s *Source) error {
		_, err := s.Read(ctx, []Attribute{audience}, func([]byte, []attr.Value) error { return nil })
		return err
	},
	"columns": func(ctx context.Context, s *Source) error {
		s.export.Wildcards = []Wildcard{{Kind: Trait, Pattern: "*"}}
		_, err := s.Header(ctx)
		if err == nil { // of CSV they are found at once
			_, err = s.Read(ctx, []Attribute{audience}, func([]byte, []attr.Value) error { return nil })
		}
		return err
	},
	"changes": func(ctx context.Context, s *Source) error {
		_, err := s.ReadChanges(ctx, func(*Change) error { return nil })
		return err
	},
	"calls": func(ctx context.Context, s *Source) error {
		_, err := s.ReadCalls(ctx, everyCall, func(*Call) error { return nil })
		return err
	},
}

// bound is how long after a deadline a reading may end, on a slow machine that does much
// else.
const bound = 20 * time.Second

// TestEndless: at a deadline every reading ends, whatever the text, also where no row comes.
func TestEndless(t *testing.T) {
	for text, content := range endlessTexts {
		for name, read := range endlessReaders {
			t.Run(text+", "+name, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rounds.Of(20, 100))*time.Millisecond)
				defer cancel()
				open := func(context.Context) (io.ReadCloser, error) {
					return &endless{begin: []byte(content.begin), again: []byte(content.again)}, nil
				}
				inputs := &source.Inputs{All: []source.Input{{Name: "x", Raw: open}}}
				s := &Source{tables: tables{export: Export{Source: "x", TempDir: t.TempDir()}, inputs: inputs}}
				err, late := endsInTime(ctx, func() error { return read(ctx, s) })
				if late {
					t.Fatal("it goes on")
				}
				if err == nil || errors.As(err, new(*table.RowError)) {
					t.Errorf("got %v, want an error that ends it", err)
				}
			})
		}
	}
}

// endsInTime calls f and reports whether it still runs that long after ctx ended.
func endsInTime(ctx context.Context, f func() error) (err error, late bool) {
	ended := make(chan error, 1)
	go func() { ended <- f() }()
	select {
	case err := <-ended:
		return err, false
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return err, false
	case <-time.After(bound):
		return nil, true
	}
}
