package deliveries

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"gleapsync/internal/runs"
)

// Query says which deliveries are asked for. What is left out does not matter.
type Query struct {
	UserIDs []string
	Run     string
	Since   time.Time
	Class   *runs.Class
	Key     func(key string) bool // of one of the attributes that were told
}

// Read calls yield with the deliveries that a query asks for, the oldest first. Lines that
// are there twice come once. A log that is not there has none.
func Read(ctx context.Context, dir string, q Query, yield func(Delivery) error) error {
	days, err := list(dir)
	if err != nil {
		return fmt.Errorf("the log of deliveries: %w", err)
	}
	if !q.Since.IsZero() {
		first, _ := slices.BinarySearch(days, q.Since.UTC().Format(dayFormat))
		days = days[first:]
	}
	pieces := make([]piece, len(days))
	for i, day := range days {
		pieces[i] = piece{day, func(context.Context) (io.Reader, func(), error) { return open(filepath.Join(dir, day)) }}
	}
	return q.read(ctx, pieces, runtime.GOMAXPROCS(0), yield)
}

// piece is a file or an object with lines of one day.
type piece struct {
	day  string
	open func(context.Context) (r io.Reader, close func(), err error)
}

// read searches several pieces at a time; what they have comes in their order.
func (q *Query) read(ctx context.Context, pieces []piece, atOnce int, yield func(Delivery) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan chan result, atOnce)
	go func() {
		defer close(results)
		for _, p := range pieces {
			one := make(chan result, 1)
			select {
			case results <- one:
				go func() { one <- q.search(ctx, p) }()
			case <-ctx.Done():
				return
			}
		}
	}()
	last := map[string]int{} // numbers of calls, by run
	for one := range results {
		r := <-one
		if r.err != nil {
			return fmt.Errorf("the log of deliveries: %w", r.err)
		}
		for _, d := range r.found {
			if d.Call <= last[d.Run] {
				continue
			}
			last[d.Run] = d.Call
			if err := yield(d); err != nil {
				return err
			}
		}
	}
	return context.Cause(ctx)
}

// Begins returns the first day of the log, "" if there is none.
func Begins(dir string) (day string, err error) {
	days, err := list(dir)
	if err != nil {
		return "", fmt.Errorf("the log of deliveries: %w", err)
	}
	if len(days) == 0 {
		return "", nil
	}
	return days[0], nil
}

type result struct {
	found []Delivery
	err   error
}

// search reads one piece.
func (q *Query) search(ctx context.Context, p piece) result {
	r, close, err := p.open(ctx)
	if err != nil {
		return result{err: err}
	}
	defer close()
	ids := needles(q.UserIDs)
	var found []Delivery
	take := func(line []byte) error {
		var d Delivery
		if mayHave(line, ids) && json.Unmarshal(line, &d) == nil && q.asksFor(&d) { // what a crash cut off is no delivery
			found = append(found, d)
		}
		return ctx.Err()
	}
	err = eachBlock(r, func(block []byte) error {
		if !mayHave(block, ids) { // to look at each line takes far longer
			return ctx.Err()
		}
		return linesOf(block, take)
	})
	return result{found, err}
}

// needles returns what lines with these user ids have in them: whatever has it is looked at
// closely afterwards.
func needles(userIDs []string) (all [][]byte) {
	for _, id := range userIDs {
		text, _ := json.Marshal(id) // a text always marshals
		if bytes.ContainsAny(text, `\`) {
			text = []byte(`"user_id":"`) // there are several ways to write it
		}
		all = append(all, text)
	}
	return all
}

// mayHave reports whether one of the needles is in a text, or there are none.
func mayHave(text []byte, needles [][]byte) bool {
	return len(needles) == 0 || slices.ContainsFunc(needles, func(id []byte) bool { return bytes.Contains(text, id) })
}

func (q *Query) asksFor(d *Delivery) bool {
	switch {
	case len(q.UserIDs) > 0 && !slices.Contains(q.UserIDs, d.UserID):
	case q.Run != "" && q.Run != d.Run:
	case d.At.Before(q.Since):
	case q.Class != nil && *q.Class != d.Class:
	case q.Key != nil && !hasKey(d.Set, q.Key):
	default:
		return true
	}
	return false
}

func hasKey(set map[string]json.RawMessage, is func(string) bool) bool {
	for key := range set {
		if is(key) {
			return true
		}
	}
	return false
}

// open opens a day's file, compressed or not: it may become the one while it is looked for as
// the other.
func open(path string) (r io.Reader, close func(), err error) {
	for range 2 {
		file, err := os.Open(path + plain)
		if err == nil {
			return file, func() { file.Close() }, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, err
		}
		file, err = os.Open(path + compressed)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		decoder, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1))
		if err != nil {
			file.Close()
			return nil, nil, err
		}
		return decoder, func() { decoder.Close(); file.Close() }, nil
	}
	return bytes.NewReader(nil), func() {}, nil // it was too old just now
}

// eachLine calls do with each line.
func eachLine(r io.Reader, do func(line []byte) error) error {
	return eachBlock(r, func(block []byte) error { return linesOf(block, do) })
}

func linesOf(block []byte, do func(line []byte) error) error {
	for len(block) > 0 {
		line, rest, _ := bytes.Cut(block, []byte("\n"))
		if err := do(line); err != nil {
			return err
		}
		block = rest
	}
	return nil
}

// eachBlock calls do with as many whole lines as were read at a time. Of a line that has no
// end nothing is known.
func eachBlock(r io.Reader, do func(block []byte) error) error {
	buffer := make([]byte, 0, 1<<20)
	for {
		n, err := r.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		end := bytes.LastIndexByte(buffer, '\n') + 1
		if end > 0 && (len(buffer) == cap(buffer) || err != nil) {
			if err := do(buffer[:end]); err != nil {
				return err
			}
			buffer = buffer[:copy(buffer, buffer[end:])]
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case len(buffer) == cap(buffer):
			buffer = slices.Grow(buffer, cap(buffer))
		}
	}
}
