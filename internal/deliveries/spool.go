package deliveries

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"gleapsync/internal/wholefile"
)

// spool is the one who writes to the spool.
type spool struct {
	log    *Bucket
	run    string
	call   int // the number of the last one
	number int // of the last part
	day    string
	file   *os.File // nil: no part is begun
	size   int64    // of the lines in it that are whole
}

// open begins to write for a run.
func (b *Bucket) open(run string) (*spool, error) {
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return nil, fmt.Errorf("the log of deliveries: %w", err)
	}
	wholefile.SyncFolder(filepath.Dir(b.dir))
	b.writing.Lock()
	defer b.writing.Unlock()
	b.writer = &spool{log: b, run: run}
	return b.writer, nil
}

// Append writes deliveries, as [Log.Append] does.
func (s *spool) Append(all []Delivery) error {
	s.log.writing.Lock()
	defer s.log.writing.Unlock()
	for len(all) > 0 {
		day := max(s.day, all[0].At.UTC().Format(dayFormat))
		n := slices.IndexFunc(all, func(d Delivery) bool { return max(s.day, d.At.UTC().Format(dayFormat)) != day })
		if n < 0 {
			n = len(all)
		}
		if err := s.write(day, all[:n]); err != nil {
			return fmt.Errorf("the log of deliveries: %w", err)
		}
		all = all[n:]
	}
	return nil
}

func (s *spool) write(day string, all []Delivery) (err error) {
	lines, err := encode(all, s.run, s.call)
	if err != nil {
		return err
	}
	if day != s.day || s.size >= partSize {
		if err := s.end(); err != nil {
			return err
		}
	}
	if s.file == nil {
		path := s.log.path(newPartName(day, s.run, s.number+1))
		if s.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			return err
		}
		wholefile.SyncFolder(s.log.dir)
		s.number, s.day, s.size = s.number+1, day, 0
	}
	_, err = s.file.WriteAt(lines, s.size)
	if err = cmp.Or(err, s.file.Sync()); err != nil {
		return errors.Join(err, s.file.Truncate(s.size))
	}
	s.size += int64(len(lines))
	s.call += len(all)
	return nil
}

// end completes the part.
func (s *spool) end() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

// Close ends the writing.
func (s *spool) Close() error {
	s.log.writing.Lock()
	defer s.log.writing.Unlock()
	if s.log.writer == s {
		s.log.writer = nil
	}
	return s.end()
}
