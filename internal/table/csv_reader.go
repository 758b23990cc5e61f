package table

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"io"
	"math/bits"

	"gleapsync/internal/cell"

	"github.com/zeebo/xxh3"
)

// csvReader reads RFC 4180 rows as encoding/csv does with its defaults, with
// four differences: the fields are parts of its buffer and valid until the next
// row, so reading allocates nothing; a row that is too long ends the reading; input
// that ends inside quotes is told apart from a row that is broken; and rows may
// differ in their number of fields.
type csvReader struct {
	r     io.Reader
	comma byte
	max   int // of a row's bytes

	buf        []byte
	start, end int // what is buffered and not yet returned
	quote      int // where the next quote stands, or the end if there is none; before start: not known
	eof        bool
	readErr    error

	line       int // of the row that was returned last
	nextLine   int
	fields     [][]byte
	doubled    []int  // the fields of a line that hold doubled quotes
	terminated bool   // the row that was returned last ended with a line break
	spans      bool   // and went over several lines,
	ends       [2]int // of which the first and the last one have so many delimiters

	sparse csvSparse
}

// csvBuffer is the size of a reader's buffer. It has room for what a [source.Text] buffers behind
// the start of a row: so bytes of a file come straight into it.
const csvBuffer = 320 << 10

func newCSVReader(r io.Reader, comma byte) *csvReader {
	return &csvReader{r: r, comma: comma, max: cell.MaxRow, buf: make([]byte, csvBuffer), quote: -1, nextLine: 1}
}

// next returns the fields of the next row that is not empty, io.EOF after the
// last, or a *RowError after which reading can go on. Every other error ends
// the input.
func (c *csvReader) next() ([][]byte, error) {
	for {
		line, size, quoted, err := c.findLine()
		if err != nil {
			return nil, err
		}
		if len(line) == 0 {
			c.advance(size)
			continue
		}
		c.line, c.spans = c.nextLine, false
		c.terminated = c.buf[c.start+size-1] == '\n' // a \r alone is what a cut left of a line break
		c.sparse.size = size
		if c.sparse.prints {
			c.sparse.print = xxh3.Hash128Seed(line, c.sparse.seed).Bytes()
		}
		fields := c.sparse.cells // the rest is for who asks
		if c.sparse.isRow = c.sparse.columns != nil && c.terminated && c.splitFirst(line, quoted); !c.sparse.isRow {
			if !quoted {
				c.split(line)
			} else if !c.splitQuoted(line) {
				return c.quotedRow()
			}
			fields = c.fields
		}
		c.start += size
		c.nextLine++
		return fields, nil
	}
}

// split cuts a line without quotes into its fields. It looks at eight bytes at a time: most
// fields are too short for a search that begins anew for each.
func (c *csvReader) split(line []byte) {
	const low = 0x7f7f7f7f7f7f7f7f // all bits but the highest of each byte
	fields, from, i := c.fields[:0], 0, 0
	commas := uint64(c.comma) * 0x0101010101010101
	for ; i+8 <= len(line); i += 8 {
		differs := binary.LittleEndian.Uint64(line[i:]) ^ commas
		// The highest bit of each byte that is a comma.
		found := ^((differs&low + low) | differs | low)
		for ; found != 0; found &= found - 1 {
			at := i + bits.TrailingZeros64(found)/8
			fields = append(fields, line[from:at:at])
			from = at + 1
		}
	}
	for ; i < len(line); i++ {
		if line[i] == c.comma {
			fields = append(fields, line[from:i:i])
			from = i + 1
		}
	}
	c.fields = append(fields, line[from:])
}

// splitQuoted cuts a line with quotes into its fields. It reports false, with
// nothing changed in the buffer, if the line is not a sound row by itself.
func (c *csvReader) splitQuoted(line []byte) bool {
	c.fields, c.doubled = c.fields[:0], c.doubled[:0]
	for {
		var field []byte
		more := false
		if len(line) > 0 && line[0] == '"' {
			end, doubled := closingQuote(line[1:])
			if end < 0 {
				return false
			}
			field, line = line[1:1+end:1+end], line[end+2:]
			if len(line) > 0 {
				if line[0] != c.comma {
					return false
				}
				line, more = line[1:], true
			}
			if doubled {
				c.doubled = append(c.doubled, len(c.fields))
			}
		} else {
			field = line
			if i := bytes.IndexByte(line, c.comma); i >= 0 {
				field, line, more = line[:i:i], line[i+1:], true
			}
			if bytes.IndexByte(field, '"') >= 0 {
				return false
			}
		}
		c.fields = append(c.fields, field)
		if !more {
			break
		}
	}
	for _, i := range c.doubled {
		c.fields[i] = undouble(c.fields[i])
	}
	return true
}

// findLine returns the buffered text up to the next line break, its size with
// the break, and whether it holds a quote. A line that does not fit is part of a
// row that is too long.
func (c *csvReader) findLine() (line []byte, size int, quoted bool, err error) {
	searched := 0
	for {
		window := c.buf[c.start:c.end]
		if i := bytes.IndexByte(window[searched:], '\n'); i >= 0 {
			size = searched + i + 1
			return trimCR(window[:size-1]), size, c.hasQuote(size), nil
		}
		searched = len(window)
		if c.eof {
			switch {
			case c.readErr != nil:
				return nil, 0, false, c.readErr
			case len(window) == 0:
				return nil, 0, false, io.EOF
			}
			return trimCR(window), len(window), c.hasQuote(len(window)), nil
		}
		if !c.fill() {
			return nil, 0, false, errTooLong(c.nextLine)
		}
	}
}

// hasQuote reports whether there is a quote in the next size bytes. Where quotes are rare
// one search is enough for many lines.
func (c *csvReader) hasQuote(size int) bool {
	if c.quote < c.start {
		c.quote = c.end
		if i := bytes.IndexByte(c.buf[c.start:c.end], '"'); i >= 0 {
			c.quote = c.start + i
		}
	}
	return c.quote < c.start+size
}

func trimCR(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}

// skipLine passes over the first line of a broken row. The lines after it are read as
// rows again: a stray quote must not make hundreds of rows look like one. A broken row
// without an end is where the input was cut off.
func (c *csvReader) skipLine(reason string) error {
	broken := &RowError{c.line, reason}
	for {
		if i := bytes.IndexByte(c.buf[c.start:c.end], '\n'); i >= 0 {
			c.start += i + 1
			c.nextLine++
			return broken
		}
		c.start = c.end
		if c.eof {
			return cmp.Or(c.readErr, ErrTruncated)
		}
		c.fill()
	}
}

// advance marks n buffered bytes as returned and counts their lines.
func (c *csvReader) advance(n int) {
	c.nextLine += bytes.Count(c.buf[c.start:c.start+n], []byte{'\n'})
	c.start += n
}

// fill reads more behind what is buffered. It reports false if a row of the
// allowed size is buffered already.
func (c *csvReader) fill() bool {
	c.quote = -1
	if c.start > 0 {
		c.end = copy(c.buf, c.buf[c.start:c.end])
		c.start = 0
	}
	if c.end == len(c.buf) {
		if c.end >= c.max {
			return false
		}
		c.buf = append(c.buf, make([]byte, min(len(c.buf), c.max-len(c.buf)))...)
	}
	for range 100 {
		n, err := c.r.Read(c.buf[c.end:])
		c.end += n
		if err != nil {
			c.eof = true
			if err != io.EOF {
				c.readErr = err
			}
			return true
		}
		if n > 0 {
			return true
		}
	}
	c.eof, c.readErr = true, io.ErrNoProgress
	return true
}
