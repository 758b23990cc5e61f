package engage

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"gleapsync/internal/attr"
)

// Type says how a trait's values are read.
type Type string

// The types of a trait. Blank and NULL say nothing, whatever the type.
const (
	// Auto takes a number where a float64 holds it exactly and prints it back as
	// the same text, true and false as booleans, and everything else as text.
	Auto     Type = "auto"
	Text     Type = "string"
	Number   Type = "number"   // what is no number is a broken row
	Boolean  Type = "boolean"  // see [parseBool]
	Datetime Type = "datetime" // sent as RFC 3339 in UTC
)

// parse reads a cell as a value of type t. None says nothing; reason tells why
// the cell cannot be read. The value may be a part of cell.
func (t Type) parse(cell []byte) (v attr.Value, reason string) {
	if isNull(cell) {
		return attr.Value{}, ""
	}
	if !utf8.Valid(cell) {
		return attr.Value{}, "the value is not UTF-8"
	}
	ok := true
	switch t {
	case Number:
		if v, ok = attr.NearestNumber(bytes.TrimSpace(cell)); !ok {
			reason = "the value is not a number that JSON can hold exactly"
		}
	case Boolean:
		if v, ok = parseBool(cell); !ok {
			reason = notBoolean
		}
	case Datetime:
		if v, ok = attr.Datetime(string(cell)); !ok {
			reason = "the value is not a date"
		}
	case Text:
		v = parseText(cell)
	case Raw:
		v = attr.OfString(cell)
	default:
		if v, ok = attr.ExactNumber(cell); !ok {
			v = parseText(cell)
			switch string(cell) {
			case "true", "false":
				v = attr.OfBool(len(cell) == len("true"))
			}
		}
	}
	return v, reason
}

// parseJSON reads a JSON value as parse reads a cell. A JSON string is text, whatever
// it looks like.
func (t Type) parseJSON(raw json.RawMessage) (v attr.Value, reason string) {
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return attr.Value{}, ""
	case raw[0] == '"' && t == Auto:
		t = Text
	}
	return t.parse(scalarText(raw))
}

const notBoolean = "the value is neither true nor false"

// parseBool reads true and false as the warehouses write them, in any case:
// true, t, 1 and yes, false, f, 0 and no. Blank and null are None.
func parseBool(cell []byte) (attr.Value, bool) {
	switch string(cell) { // as most are
	case "true":
		return attr.OfBool(true), true
	case "false":
		return attr.OfBool(false), true
	}
	if isNullWord(cell) {
		return attr.Value{}, true
	}
	switch strings.ToLower(string(bytes.TrimSpace(cell))) {
	case "true", "t", "1", "yes":
		return attr.OfBool(true), true
	case "false", "f", "0", "no":
		return attr.OfBool(false), true
	}
	return attr.Value{}, false
}

// isNull reports whether a cell says nothing: it is blank, or NULL as a
// warehouse unloads it.
func isNull(cell []byte) bool {
	if isPlain(cell) {
		return false
	}
	cell = bytes.TrimSpace(cell)
	return len(cell) == 0 || string(cell) == `\N` || string(cell) == "NULL"
}

// isNullWord is isNull for cells in which null can be nothing else, in any case: a
// string may well be "Null", an id or a boolean may not.
func isNullWord(cell []byte) bool {
	if isPlain(cell) {
		return false
	}
	cell = bytes.TrimSpace(cell)
	return isNull(cell) || len(cell) == 4 && strings.EqualFold(string(cell), "null")
}

// isPlain reports whether a cell's first byte shows that it is neither blank nor any
// kind of null, as that of most does.
func isPlain(cell []byte) bool {
	if len(cell) == 0 {
		return false
	}
	c := cell[0]
	return c > ' ' && c < utf8.RuneSelf && c != '\\' && c != 'N' && c != 'n'
}

// parseText returns cell as a string. Gleap takes no lists and objects, so a
// JSON list becomes its items joined by ", ", and an object compact JSON.
func parseText(cell []byte) attr.Value {
	if c := cell[0]; c != '[' && c != '{' {
		return attr.OfString(cell)
	}
	if text, ok := flatten(cell); ok {
		return attr.OfString([]byte(text))
	}
	return attr.OfString(cell)
}

// flatten returns the text that stands for a JSON value; it reports false if
// raw is no JSON.
func flatten(raw []byte) (string, bool) {
	var items []json.RawMessage
	if raw[0] == '[' && json.Unmarshal(raw, &items) == nil {
		texts := make([]string, len(items))
		for i, item := range items {
			texts[i] = string(scalarText(item))
		}
		return strings.Join(texts, ", "), true
	}
	var compact bytes.Buffer
	err := json.Compact(&compact, raw)
	return compact.String(), err == nil
}

// scalarText returns a JSON string without its quotes, everything else, numbers
// with all their digits, as compact JSON.
func scalarText(raw json.RawMessage) []byte {
	if text, rest, ok := cutSimpleText(raw); ok && len(rest) == 0 {
		return text
	}
	if c := raw[0]; c != '"' && c != '[' && c != '{' {
		return raw
	}
	var text string
	if raw[0] == '"' && json.Unmarshal(raw, &text) == nil {
		return []byte(text)
	}
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		return raw
	}
	return compact.Bytes()
}

// numberText leaves the zeros at the end of a fraction out if what is left is a number
// to Gleap too: numeric(10,2) has 49.90 for 49.9, and both should be numbers.
func numberText(value []byte) []byte {
	if len(value) == 0 || value[len(value)-1] != '0' || bytes.IndexByte(value, '.') < 0 {
		return value
	}
	short := bytes.TrimSuffix(bytes.TrimRight(value, "0"), []byte{'.'})
	if _, exact := attr.ExactNumber(short); exact {
		return short
	}
	return value
}
