package engage

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// event is what is needed of an identify event, each a raw JSON value or nothing. Source:
// Segment's common fields, and context.personas of Engage's own calls.
type event struct {
	typ, userID, traits, timestamp, messageID json.RawMessage
	class, key, id                            json.RawMessage // of the computation
}

// parse reads a line. It reports false if it is no JSON object. Of a name that comes twice
// the last one counts, as encoding/json has it.
func (e *event) parse(line []byte) bool {
	*e = event{}
	var context json.RawMessage
	if !scanObject(line, func(name []byte, value json.RawMessage) {
		switch string(name) {
		case "type":
			e.typ = value
		case "userId":
			e.userID = value
		case "traits":
			e.traits = value
		case "timestamp":
			e.timestamp = value
		case "messageId":
			e.messageID = value
		case "context":
			context = value
		}
	}) {
		return false
	}
	var personas json.RawMessage
	scanObject(context, func(name []byte, value json.RawMessage) {
		if string(name) == "personas" {
			personas = value
		}
	})
	scanObject(personas, func(name []byte, value json.RawMessage) {
		switch string(name) {
		case "computation_class":
			e.class = value
		case "computation_key":
			e.key = value
		case "computation_id":
			e.id = value
		}
	})
	return true
}

// text returns the text of a string or a number, nothing for all else.
func (e *event) text(raw json.RawMessage) []byte {
	if len(raw) == 0 || raw[0] != '"' && raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return nil
	}
	return scalarText(raw)
}

// lineReader reads lines of limited length.
type lineReader struct {
	r    *bufio.Reader
	line int    // that was returned last
	buf  []byte // a line that is longer than the buffer of r
}

// next returns the next line and whether a line break follows it. It is valid until next is
// called again. A line that is too long is a [*rowError].
func (l *lineReader) next() (line []byte, complete bool, err error) {
	line, err = l.r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		return l.long(line)
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
	size := len(begin)
	for err = bufio.ErrBufferFull; err == bufio.ErrBufferFull; {
		var part []byte
		part, err = l.r.ReadSlice('\n')
		if size += len(part); size <= maxRow {
			l.buf = append(l.buf, part...)
		}
	}
	switch {
	case err != nil && err != io.EOF:
		return nil, false, err
	case size > maxRow:
		return nil, true, &rowError{l.line, fmt.Sprintf("the line is longer than %d MiB", maxRow>>20)}
	}
	return l.buf, err == nil, nil
}
