package jsonscan

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Members are the members of a JSON object in their order.
type Members []Member

// Member is a member of a JSON object, with its raw value.
type Member struct {
	Name  []byte
	Value json.RawMessage
}

// Get returns the value of a name, nil if there is none. Of several the last one counts,
// as encoding/json has it.
func (m Members) Get(name string) json.RawMessage {
	for i := len(m) - 1; i >= 0; i-- {
		if string(m[i].Name) == name {
			return m[i].Value
		}
	}
	return nil
}

// Append appends the members of the JSON object in cell; what they hold are parts of it. It
// reports false for what is no object; null is one without members, as encoding/json has it.
func Append(m Members, cell []byte) (Members, bool) {
	// encoding/json would take bytes that are not UTF-8 and change them.
	if !utf8.Valid(cell) {
		return m, false
	}
	sound := isPlain(cell) // and no list holds more than what was looked at
	all := m
	ok := Object(cell, func(name []byte, value json.RawMessage) {
		all = append(all, Member{name, value})
		sound = sound && (value[0] != '{' && value[0] != '[' || eachScalar(value, nil))
	})
	switch {
	case !ok:
		return m, string(Numberless(bytes.Trim(cell, " \t\r\n"))) == "null"
	case !sound && !json.Valid(Numberless(cell)):
		return m, false
	}
	return all, true
}

// Items appends the items of a list, or a value that is no list.
func Items(items []json.RawMessage, value json.RawMessage) []json.RawMessage {
	if len(value) == 0 || value[0] != '[' {
		return append(items, value)
	}
	all := items
	if eachScalar(value, func(item []byte) { all = append(all, item) }) {
		return all
	}
	var nested []json.RawMessage
	_ = json.Unmarshal(Numberless(value), &nested) // it is part of an object that was read
	return append(items, nested...)
}

// eachScalar calls yield, which may be nil, with the items of a list. It reports false for
// a list with others than texts, numbers, booleans and nulls, and for what is no list.
func eachScalar(list []byte, yield func(item []byte)) bool {
	if list[0] != '[' {
		return false
	}
	rest := SkipBlanks(list[1:])
	if len(rest) == 1 && rest[0] == ']' {
		return true
	}
	for {
		if len(rest) == 0 || rest[0] == '[' || rest[0] == '{' {
			return false
		}
		size := Size(rest)
		if size < 0 {
			return false
		}
		if yield != nil {
			yield(rest[:size])
		}
		if rest = SkipBlanks(rest[size:]); len(rest) == 0 {
			return false
		}
		if rest[0] == ']' {
			return len(rest) == 1
		}
		if rest[0] != ',' {
			return false
		}
		rest = SkipBlanks(rest[1:])
	}
}

// SkipBlanks takes off what JSON allows between its parts.
func SkipBlanks(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\n' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}

// Text returns a JSON string without its quotes, everything else, numbers with all their
// digits, as compact JSON. A text that is none, since it has half of a surrogate pair, is not UTF-8.
func Text(raw json.RawMessage) []byte {
	if c := raw[0]; c != '"' && c != '[' && c != '{' {
		return raw
	}
	if raw[0] == '"' {
		if end := len(raw) - 1; end > 0 && bytes.IndexByte(raw[1:], '"') == end-1 && isPlain(raw) {
			return raw[1:end]
		}
		var text string
		// What is not UTF-8 stays so: encoding/json would make another text of it.
		if utf8.Valid(raw) && json.Unmarshal(raw, &text) == nil {
			if hasHalf(raw) { // encoding/json would make the same text of all halves
				return bytes.ReplaceAll([]byte(text), []byte(string(utf8.RuneError)), []byte("\xed\xa0\x80"))
			}
			return []byte(text)
		}
	}
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		return raw
	}
	return compact.Bytes()
}

// hasHalf reports whether a JSON string has an escape that is one half of a surrogate pair, without
// the other one.
func hasHalf(raw []byte) bool {
	for {
		at := bytes.IndexByte(raw, '\\')
		if at < 0 {
			return false
		}
		raw = raw[at:]
		switch r := escaped(raw); {
		case !utf16.IsSurrogate(r):
			raw = raw[2:]
		case utf16.DecodeRune(r, escaped(raw[6:])) == utf8.RuneError:
			return true
		default:
			raw = raw[12:]
		}
	}
}

// escaped returns the UTF-16 unit that the escape at the start of b stands for, 0 if it is none of
// four digits.
func escaped(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0
	}
	unit, _ := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(unit)
}
