package table

import (
	"bufio"
	"io"

	"gleapsync/internal/cell"
)

// Lines reads lines of limited length.
type Lines struct {
	r    *bufio.Reader
	line int    // that was returned last
	buf  []byte // a line that is longer than the buffer of r
}

// NewLines returns the lines of a text.
func NewLines(r *bufio.Reader) *Lines { return &Lines{r: r} }

// Next returns the next line and whether a line break follows it, or io.EOF. The line is valid
// until Next is called again. One that is too long ends the reading.
func (l *Lines) Next() (line []byte, terminated bool, err error) {
	line, err = l.r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		return l.long(line)
	}
	if len(line) > cell.MaxRow {
		return nil, false, errTooLong(l.line + 1)
	}
	if err == io.EOF && len(line) > 0 {
		err = nil
	} else if err == nil {
		terminated = true
	}
	l.line++
	return line, terminated, err
}

// Line returns the number of the line that Next returned last, 1 for the first.
func (l *Lines) Line() int { return l.line }

// long reads a line that begins with what the buffer holds.
func (l *Lines) long(begin []byte) (line []byte, terminated bool, err error) {
	l.line++
	l.buf = append(l.buf[:0], begin...)
	for err = bufio.ErrBufferFull; err == bufio.ErrBufferFull; {
		var part []byte
		part, err = l.r.ReadSlice('\n')
		if l.buf = append(l.buf, part...); len(l.buf) > cell.MaxRow {
			return nil, false, errTooLong(l.line)
		}
	}
	if err != nil && err != io.EOF {
		return nil, false, err
	}
	return l.buf, err == nil, nil
}
