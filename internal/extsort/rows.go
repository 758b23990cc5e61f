package extsort

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// WriteRow appends a row for [Spool.Rows]: the length of all that follows, the user id behind
// its length (both uvarint), and the payload.
func (s *Spool) WriteRow(userID, payload []byte) error {
	s.row = binary.AppendUvarint(s.row[:0], uint64(len(userID)))
	size := len(s.row) + len(userID) + len(payload)
	s.row = binary.AppendUvarint(s.row[:0], uint64(size))
	s.row = binary.AppendUvarint(s.row, uint64(len(userID)))
	s.row = append(append(s.row, userID...), payload...)
	_, err := s.Write(s.row)
	return err
}

// Rows is the rows of a part of a spool, in the order in which they were written. What Next
// returns is the caller's to keep, unless Reuse is set: then it is valid until the next one.
type Rows struct {
	Reuse   bool
	row     []byte
	section io.Reader
	reader  *bufio.Reader // nil: nothing was read yet
	err     error
}

// Rows reads the rows between two positions. Nothing may be written any more.
func (s *Spool) Rows(from, to int64) *Rows {
	return &Rows{section: s.section(from, to)}
}

// maxRow is the size above which no row can be.
const maxRow = 1 << 30

// Next implements [Stream].
func (r *Rows) Next() (userID, payload []byte, ok bool) {
	if r.err != nil {
		return nil, nil, false
	}
	if r.reader == nil { // many may wait for their turn
		r.reader = bufio.NewReaderSize(r.section, 64<<10)
	}
	size, err := binary.ReadUvarint(r.reader)
	switch {
	case err == io.EOF:
		return nil, nil, false
	case err != nil || size > maxRow:
		return r.fail(err)
	}
	if !r.Reuse || uint64(cap(r.row)) < size {
		r.row = make([]byte, size)
	}
	row := r.row[:size]
	if _, err := io.ReadFull(r.reader, row); err != nil {
		return r.fail(err)
	}
	userID, payload, n := cutUpTo(row, maxRow)
	if n <= 0 {
		return r.fail(nil)
	}
	return slices.Clip(userID), payload, true
}

// fail ends the rows. An end that comes too early is no error of reading.
func (r *Rows) fail(err error) (userID, payload []byte, ok bool) {
	r.err = ErrTemp
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		r.err = fmt.Errorf("read a temporary file (sync.temp_dir): %w", err)
	}
	return nil, nil, false
}

// Err implements [Stream].
func (r *Rows) Err() error { return r.err }
