package deliveries

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

const (
	dayFormat  = "2006-01-02"
	plain      = ".jsonl"
	compressed = ".jsonl.zst"
)

// Log is written to by one run at a time; it may be read meanwhile.
type Log struct {
	dir  string
	keep time.Duration
	run  string
	call int // the number of the last one

	day  string
	file *os.File
	size int64 // of the lines that are whole
}

// Open opens the log in a folder, which it makes if there is none, for the calls of a run.
// What is older than keep is removed; 0 keeps all.
func Open(dir string, keep time.Duration, run string) (*Log, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the log of deliveries: %w", err)
	}
	return &Log{dir: dir, keep: keep, run: run}, nil
}

// Append writes deliveries, which get the run and their numbers here, and returns once they
// are on the disk. After an error none of them is there.
func (l *Log) Append(all []Delivery) error {
	for len(all) > 0 {
		day := l.dayOf(all[0])
		n := slices.IndexFunc(all, func(d Delivery) bool { return l.dayOf(d) != day })
		if n < 0 {
			n = len(all)
		}
		if err := l.turnTo(day); err != nil {
			return fmt.Errorf("the log of deliveries: %w", err)
		}
		lines, err := encode(all[:n], l.run, l.call)
		if err == nil {
			err = l.write(lines)
		}
		if err != nil {
			return fmt.Errorf("the log of deliveries: %w", err)
		}
		l.call += n
		all = all[n:]
	}
	return nil
}

// encode returns the lines of deliveries, which get the run and numbers behind call.
func encode(all []Delivery, run string, call int) ([]byte, error) {
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	encoder.SetEscapeHTML(false)
	for _, d := range all {
		call++
		d.Run, d.Call, d.At = run, call, d.At.UTC()
		if err := encoder.Encode(d); err != nil {
			return nil, err
		}
	}
	return lines.Bytes(), nil
}

// dayOf returns the day in whose file a delivery belongs. Within a run it never goes back, as
// the clock may: the numbers of the calls go up over all files.
func (l *Log) dayOf(d Delivery) string { return max(l.day, d.At.UTC().Format(dayFormat)) }

// write adds lines to the day's file, or nothing.
func (l *Log) write(lines []byte) error {
	_, err := l.file.WriteAt(lines, l.size)
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		return errors.Join(err, l.file.Truncate(l.size))
	}
	l.size += int64(len(lines))
	return nil
}

// turnTo makes a day's file the one that is written to. A line that a crash cut off is taken
// out of it: the state does not know of its call.
func (l *Log) turnTo(day string) error {
	if day == l.day {
		return nil
	}
	if err := l.Close(); err != nil {
		return err
	}
	if err := l.tidy(day); err != nil {
		return err
	}
	path := filepath.Join(l.dir, day)
	if err := decompress(path); err != nil {
		return err
	}
	file, err := os.OpenFile(path+plain, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	size, err := wholeLines(file)
	if err == nil {
		err = file.Truncate(size)
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	l.file, l.size, l.day = file, size, day
	return nil
}

// wholeLines returns where the last whole line of a file ends.
func wholeLines(file *os.File) (int64, error) {
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	block := make([]byte, 64<<10)
	for end > 0 {
		n := min(end, int64(len(block)))
		if _, err := file.ReadAt(block[:n], end-n); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(block[:n], '\n'); i >= 0 {
			return end - n + int64(i) + 1, nil
		}
		end -= n
	}
	return 0, nil
}

// Close ends the writing.
func (l *Log) Close() error {
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file, l.day = nil, ""
	return err
}

// tidy compresses the files of days other than one, and removes what is too old.
func (l *Log) tidy(except string) error {
	days, err := list(l.dir)
	if err != nil {
		return err
	}
	today, err := time.Parse(dayFormat, except)
	if err != nil {
		return err
	}
	for _, day := range days {
		at, _ := time.Parse(dayFormat, day)
		switch path := filepath.Join(l.dir, day); {
		case l.keep > 0 && at.AddDate(0, 0, 1).Add(l.keep).Before(today):
			err = errors.Join(remove(path+plain), remove(path+compressed))
		case day != except:
			err = compress(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// list returns the days of which there is a file, the oldest first.
func list(dir string) (days []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, entry := range entries {
		day, form, _ := strings.Cut(entry.Name(), ".")
		if _, err := time.Parse(dayFormat, day); err == nil && slices.Contains([]string{plain, compressed}, "."+form) {
			days = append(days, day)
		}
	}
	slices.Sort(days)
	return slices.Compact(days), nil
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// A day's file is there in one form. A crash can leave both; then the plain one is right.

// compress makes a day's plain file a compressed one, if there is one.
func compress(path string) error {
	return convert(path+plain, path+compressed, func(w io.Writer, r io.Reader) error {
		encoder, err := zstd.NewWriter(w)
		if err != nil {
			return err
		}
		if _, err := io.Copy(encoder, r); err != nil {
			return err
		}
		return encoder.Close()
	})
}

// decompress is the opposite: by a clock that was wrong a day may come back.
func decompress(path string) error {
	if _, err := os.Stat(path + plain); err == nil {
		return remove(path + compressed)
	}
	return convert(path+compressed, path+plain, func(w io.Writer, r io.Reader) error {
		decoder, err := zstd.NewReader(r)
		if err != nil {
			return err
		}
		defer decoder.Close()
		_, err = io.Copy(w, decoder)
		return err
	})
}

// convert writes a file anew under another name, and removes it.
func convert(from, to string, convert func(io.Writer, io.Reader) error) error {
	file, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if err := replace(to, func(w io.Writer) error { return convert(w, file) }); err != nil {
		return err
	}
	return os.Remove(from)
}

// replace writes a file beside its place and moves it there: whoever reads sees the former
// one or the new one.
func replace(path string, write func(io.Writer) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			file.Close()
			os.Remove(file.Name())
		}
	}()
	if err := write(file); err != nil {
		return err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
