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

// parse reads a line. It reports false if it is no JSON object.
func (e *event) parse(line []byte) bool {
	var all struct {
		Type      json.RawMessage `json:"type"`
		UserID    json.RawMessage `json:"userId"`
		Traits    json.RawMessage `json:"traits"`
		Timestamp json.RawMessage `json:"timestamp"`
		MessageID json.RawMessage `json:"messageId"`
		Context   struct {
			Personas struct {
				Class json.RawMessage `json:"computation_class"`
				Key   json.RawMessage `json:"computation_key"`
				ID    json.RawMessage `json:"computation_id"`
			} `json:"personas"`
		} `json:"context"`
	}
	if json.Unmarshal(line, &all) != nil {
		return false
	}
	p := all.Context.Personas
	*e = event{all.Type, all.UserID, all.Traits, all.Timestamp, all.MessageID, p.Class, p.Key, p.ID}
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
	line int // that was returned last
	buf  []byte
}

// next returns the next line and whether a line break follows it. A line that is too long
// is a [*rowError].
func (l *lineReader) next() (line []byte, complete bool, err error) {
	l.buf = l.buf[:0]
	tooLong := false
	for {
		part, err := l.r.ReadSlice('\n')
		if err == nil || err == bufio.ErrBufferFull || err == io.EOF {
			if tooLong = tooLong || len(l.buf)+len(part) > maxRow; !tooLong {
				l.buf = append(l.buf, part...)
			}
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(l.buf) == 0 && !tooLong:
			return nil, false, io.EOF
		case err != nil && err != io.EOF:
			return nil, false, err
		}
		l.line++
		if tooLong {
			return nil, true, &rowError{l.line, fmt.Sprintf("the line is longer than %d MiB", maxRow>>20)}
		}
		return l.buf, err == nil, nil
	}
}
