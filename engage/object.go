package engage

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// object is a JSON object as the columns external_ids and traits hold them: its members
// in their order, each with its raw value.
type object []member

type member struct {
	name  []byte
	value json.RawMessage
}

// get returns the value of a name, nil if there is none. Of several the last one counts,
// as encoding/json has it.
func (o object) get(name string) json.RawMessage {
	for i := len(o) - 1; i >= 0; i-- {
		if string(o[i].name) == name {
			return o[i].value
		}
	}
	return nil
}

// appendObject appends the members of the JSON object in cell; what they hold are parts of
// cell where it is as simple as those that Segment writes. It reports false for what is
// no object.
func appendObject(o object, cell []byte) (object, bool) {
	// encoding/json would take bytes that are not UTF-8 and change them.
	if !utf8.Valid(cell) {
		return o, false
	}
	if all, ok := appendSimpleObject(o, cell); ok {
		return all, true
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(numberless(cell), &members) != nil {
		return o, false
	}
	for name, value := range members {
		o = append(o, member{[]byte(name), value})
	}
	return o, true
}

// appendSimpleObject reads an object of texts, numbers, booleans, nulls and lists of these,
// in which nothing is escaped. It reports false for all else, objects or not: a library
// reads that.
func appendSimpleObject(o object, cell []byte) (object, bool) {
	rest := skipBlanks(cell)
	if len(rest) == 0 || rest[0] != '{' {
		return o, false
	}
	if rest = skipBlanks(rest[1:]); len(rest) > 0 && rest[0] == '}' {
		return o, len(skipBlanks(rest[1:])) == 0
	}
	for {
		name, after, ok := cutSimpleText(rest)
		if after = skipBlanks(after); !ok || len(after) == 0 || after[0] != ':' {
			return o, false
		}
		value, after, ok := cutSimpleValue(skipBlanks(after[1:]))
		if after = skipBlanks(after); !ok || len(after) == 0 {
			return o, false
		}
		o = append(o, member{name, value})
		switch after[0] {
		case ',':
			rest = skipBlanks(after[1:])
		case '}':
			return o, len(skipBlanks(after[1:])) == 0
		default:
			return o, false
		}
	}
}

// cutSimpleValue cuts a scalar or a list of scalars.
func cutSimpleValue(b []byte) (value, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '[' {
		return cutSimpleScalar(b)
	}
	if rest = skipBlanks(b[1:]); len(rest) > 0 && rest[0] == ']' {
		return b[:len(b)-len(rest)+1], rest[1:], true
	}
	for {
		_, rest, ok = cutSimpleScalar(rest)
		if rest = skipBlanks(rest); !ok || len(rest) == 0 {
			return nil, nil, false
		}
		switch rest[0] {
		case ',':
			rest = skipBlanks(rest[1:])
		case ']':
			return b[:len(b)-len(rest)+1], rest[1:], true
		default:
			return nil, nil, false
		}
	}
}

func cutSimpleScalar(b []byte) (value, rest []byte, ok bool) {
	if len(b) > 0 && b[0] == '"' {
		_, rest, ok = cutSimpleText(b)
		return b[:len(b)-len(rest)], rest, ok
	}
	end := 0
	for end < len(b) && b[end] > ' ' && b[end] != ',' && b[end] != ']' && b[end] != '}' {
		end++
	}
	if value, rest = b[:end], b[end:]; isBareWord(value) {
		return value, rest, true
	}
	return value, rest, len(value) > 0 && len(value) <= maxSimpleNumber && bytes.IndexByte([]byte("-0123456789"), value[0]) >= 0 && json.Valid(value)
}

// maxSimpleNumber keeps what is no number from being looked at again and again.
const maxSimpleNumber = 64

// cutSimpleText cuts a text in which nothing is escaped, and takes its quotes off.
func cutSimpleText(b []byte) (text, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, nil, false
	}
	end := bytes.IndexByte(b[1:], '"')
	if end < 0 {
		return nil, nil, false
	}
	text = b[1 : 1+end]
	for _, c := range text {
		if c < ' ' || c == '\\' {
			return nil, nil, false
		}
	}
	return text, b[end+2:], true
}

// skipBlanks takes off what JSON allows between its parts.
func skipBlanks(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\n' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}

// listItems appends the items of a list as [object] has them, or a value that is no list.
func listItems(items []json.RawMessage, value json.RawMessage) []json.RawMessage {
	if len(value) == 0 || value[0] != '[' {
		return append(items, value)
	}
	from := len(items)
	for rest := skipBlanks(value[1:]); ; {
		item, after, ok := cutSimpleScalar(rest)
		if after = skipBlanks(after); !ok || len(after) == 0 {
			break
		}
		items = append(items, item)
		if after[0] == ']' && len(after) == 1 {
			return items
		}
		if after[0] != ',' {
			break
		}
		rest = skipBlanks(after[1:])
	}
	var all []json.RawMessage
	_ = json.Unmarshal(numberless(value), &all) // it is part of an object that was read
	return append(items[:from], all...)
}
