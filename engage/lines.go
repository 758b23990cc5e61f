package engage

import (
	"bufio"
	"io"

	"gleapsync/internal/cell"
)

// lineReader reads lines of limited length.
type lineReader struct {
	r    *bufio.Reader
	line int    // that was returned last
	buf  []byte // a line that is longer than the buffer of r
}

// next returns the next line and whether a line break follows it. It is valid until next is
// called again. A line that is too long ends the reading.
func (l *lineReader) next() (line []byte, complete bool, err error) {
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
		complete = true
	}
	l.line++
	return line, complete, err
}

// long reads a line that begins with what the buffer holds.
func (l *lineReader) long(begin []byte) (line []byte, complete bool, err error) {
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
