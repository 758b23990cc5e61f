package table

import (
	"bytes"

	"github.com/zeebo/xxh3"
)

// closingQuote returns where in field, which begins behind an opening quote,
// the closing one stands, or -1, and whether there are doubled quotes before.
func closingQuote(field []byte) (end int, doubled bool) {
	for {
		i := bytes.IndexByte(field[end:], '"')
		if i < 0 {
			return -1, doubled
		}
		end += i
		if end+1 == len(field) || field[end+1] != '"' {
			return end, doubled
		}
		end, doubled = end+2, true
	}
}

// undouble makes one quote of each two, in place.
func undouble(field []byte) []byte {
	out := bytes.IndexByte(field, '"') + 1
	for rest := field[out+1:]; ; {
		i := bytes.IndexByte(rest, '"')
		if i < 0 {
			out += copy(field[out:], rest)
			return field[:out:out]
		}
		out += copy(field[out:], rest[:i+1])
		rest = rest[i+2:]
	}
}

// quotedRow reads the row at the start of the buffer, which is broken or goes on
// over several lines. It first looks for the row's end, since that may lie behind
// what is buffered, then takes the quotes out in place.
func (c *csvReader) quotedRow() ([][]byte, error) {
	size, err := c.findRowEnd()
	if err != nil {
		return nil, err
	}
	row := c.buf[c.start : c.start+size]
	c.terminated = row[size-1] == '\n'
	if c.sparse.prints {
		c.sparse.print = xxh3.Hash128Seed(row, c.sparse.seed).Bytes()
	}
	c.countEnds(row)
	lines := bytes.Count(row, []byte{'\n'}) // before bytes move
	c.fields = c.fields[:0]
	for done := false; !done; {
		var field []byte
		if len(row) > 0 && row[0] == '"' {
			field, row = unquote(row[1:])
			switch {
			case len(row) == 0:
				done = true
			case row[0] == c.comma:
				row = row[1:]
			default: // the line break: findRowEnd saw to it that nothing else stands here
				done = true
			}
		} else if i := bytes.IndexByte(row, c.comma); i >= 0 {
			field, row = row[:i:i], row[i+1:]
		} else {
			field = trimCR(bytes.TrimSuffix(row, []byte{'\n'}))
			done = true
		}
		c.fields = append(c.fields, field)
	}
	c.start += size
	c.nextLine += lines
	return c.fields, nil
}

// countEnds looks at the first and the last line of a row, as they stand in the file.
func (c *csvReader) countEnds(row []byte) {
	row = bytes.TrimSuffix(row, []byte{'\n'})
	first := bytes.IndexByte(row, '\n')
	if c.spans = first >= 0; c.spans {
		comma := []byte{c.comma}
		c.ends = [2]int{bytes.Count(row[:first], comma), bytes.Count(row[bytes.LastIndexByte(row, '\n'):], comma)}
	}
}

// findRowEnd returns the size of the row at the start of the buffer, line break
// included. On a quote where none may stand it passes over the row's first line and
// returns a *RowError.
func (c *csvReader) findRowEnd() (int, error) {
	const (
		fieldStart = iota
		plain
		inQuotes
		afterQuote // a closing quote, or the first of two
	)
	state := fieldStart
	for i := 0; ; i++ {
		if c.start+i == c.end {
			if c.eof {
				switch {
				case c.readErr != nil:
					return 0, c.readErr
				case state == inQuotes:
					return 0, ErrTruncated
				}
				return i, nil
			}
			if !c.fill() {
				return 0, errTooLong(c.line)
			}
			i--
			continue
		}
		b := c.buf[c.start+i]
		switch state {
		case inQuotes:
			if b == '"' {
				state = afterQuote
			} else if jump := bytes.IndexByte(c.buf[c.start+i:c.end], '"'); jump > 0 {
				i += jump - 1
			} else if jump < 0 {
				i = c.end - c.start - 1
			}
			continue
		case fieldStart:
			if b == '"' {
				state = inQuotes
				continue
			}
			state = plain
		case afterQuote:
			if b == '"' {
				state = inQuotes
				continue
			}
			if b == '\r' && (c.peek(i+1) == '\n' || c.peek(i+1) == -1) {
				continue
			}
			if b != c.comma && b != '\n' {
				return 0, c.skipLine("text after a closing quote")
			}
		}
		switch b {
		case '\n':
			return i + 1, nil
		case c.comma:
			state = fieldStart
		case '"':
			return 0, c.skipLine("a quote inside a field without quotes")
		}
	}
}

// peek returns the byte at i, or -1 where the input ends before it.
func (c *csvReader) peek(i int) int {
	for c.start+i >= c.end {
		if c.eof || !c.fill() {
			return -1
		}
	}
	return int(c.buf[c.start+i])
}

// unquote takes a quoted field, without its opening quote, off the start of row
// and returns what follows its closing quote. As encoding/csv does, it turns
// CRLF into LF.
func unquote(row []byte) (field, rest []byte) {
	out := 0
	for i := 0; i < len(row); i++ {
		switch {
		case row[i] == '"' && i+1 < len(row) && row[i+1] == '"':
			i++
		case row[i] == '"':
			return row[:out:out], row[i+1:]
		case row[i] == '\r' && i+1 < len(row) && row[i+1] == '\n':
			continue
		}
		row[out] = row[i]
		out++
	}
	return row[:out:out], nil
}
