package values

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"gleapsync/internal/attr"
	"gleapsync/internal/cell"
	"gleapsync/internal/jsonscan"
)

// Said returns what a cell says, before anybody asks for a type: a text, a number or a
// boolean, or nothing. JSON lists and objects are texts. It keeps the cell's bytes.
func Said(f cell.Form, text []byte) attr.Value {
	switch f {
	case cell.Number:
		if IsNull(text) || cell.IsNotFinite(text) {
			return attr.Value{}
		}
		return attr.OfNumber(text)
	case cell.Boolean:
		v, _ := ReadBool(text)
		return v
	case cell.JSON:
		return SaidByJSON(text)
	}
	if IsNull(text) {
		return attr.Value{}
	}
	return attr.OfString(text)
}

// SaidByJSON is [Said] for a JSON value, which may be missing.
func SaidByJSON(raw json.RawMessage) attr.Value {
	if len(raw) == 0 {
		return attr.Value{}
	}
	switch string(raw) {
	case "null", "NaN", "Infinity", "-Infinity": // the last three are Python's
		return attr.Value{}
	case "true":
		return attr.OfBool(true)
	case "false":
		return attr.OfBool(false)
	}
	if c := raw[0]; c == '-' || '0' <= c && c <= '9' {
		return attr.OfNumber(raw)
	}
	return Said(cell.Text, jsonscan.Text(raw))
}

// Read makes a value of a type of what a row says. None says nothing; reason tells why what is said
// cannot be a value. [Auto] is the type that the attribute is known to have. Where that is not known
// yet the value is what was said, and fits learns of it: once all values are read it tells the type,
// and [Convert] makes it of each.
func Read(t, known Type, said attr.Value, fits *Fits) (v attr.Value, reason string) {
	if said.Kind() == attr.None {
		return said, ""
	}
	ok := true
	switch t {
	case Boolean:
		if v, ok = boolean(said); !ok {
			reason = NotBoolean(said.Text())
		}
		return v, reason
	case Raw:
		return said, ""
	}
	if said.Kind() == attr.String && !utf8.Valid(said.Text()) {
		return attr.Value{}, "the value is not UTF-8"
	}
	switch {
	case (t == Number || t == Datetime) && toText(said).Kind() == attr.None: // an empty list
		return attr.Value{}, ""
	case t == Number:
		if v, ok = attr.NearestNumber(bytes.TrimSpace(textOf(said))); !ok && !cell.IsNotFinite(textOf(said)) {
			reason = "the value is not a number that JSON can hold exactly"
		}
	case t == Datetime:
		if v, ok = attr.Datetime(string(textOf(said))); !ok {
			reason = "the value is not a date"
		}
	case t == Text:
		v = toText(said)
	case known != "":
		if v, ok = Convert(known, said); !ok {
			reason = misfits[known]
		}
	default:
		fits.learn(said)
		v = said
	}
	return v, reason
}

// misfits says why a value does not fit the type that an attribute had when it was delivered
// first.
var misfits = map[Type]string{
	Number:  `the attribute is a number in Gleap and the value is none: set its type to "string" if texts are right`,
	Boolean: `the attribute is a boolean in Gleap and the value is none: set its type to "string" if texts are right`,
}

// Neither is why a text cannot be a boolean.
const Neither = "the value is neither true nor false"

// NotBoolean says what cannot be a boolean: a date is no slip, it is in the wrong list.
func NotBoolean(text []byte) string {
	if _, ok := attr.Datetime(string(text)); ok && bytes.IndexByte(text, '-') > 0 {
		return "the value is a date, neither true nor false: take the column as a trait"
	}
	return Neither + ": true, t, 1, yes, false, f, 0 and no are taken"
}

// IsNull reports whether a cell says nothing: it is blank, or NULL as a
// warehouse unloads it.
func IsNull(cell []byte) bool {
	if isPlain(cell) {
		return false
	}
	cell = bytes.TrimSpace(cell)
	return len(cell) == 0 || string(cell) == `\N` || string(cell) == "NULL"
}

// isNullWord is IsNull for cells in which null can be nothing else, in any case: a
// string may well be "Null", a boolean may not.
func isNullWord(cell []byte) bool {
	if isPlain(cell) {
		return false
	}
	cell = bytes.TrimSpace(cell)
	return IsNull(cell) || len(cell) == 4 && strings.EqualFold(string(cell), "null")
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

// textOf returns the text that stands for what is said: a list's items joined by ", ".
func textOf(said attr.Value) []byte { return toText(said).Text() }

// toText returns what is said as a string, None for an empty list. Gleap takes no lists and
// objects, so a JSON list becomes its items joined by ", ", and an object compact JSON.
func toText(said attr.Value) attr.Value {
	switch said.Kind() {
	case attr.True, attr.False:
		return attr.OfString([]byte(said.String()))
	case attr.Number:
		return attr.OfString(PlainDecimal(said.Text()))
	}
	text := said.Text()
	if !IsList(text) {
		return said
	}
	flat, ok := flatten(text)
	switch {
	case !ok:
		return said
	case flat == "":
		return attr.Value{}
	}
	return attr.OfString([]byte(flat))
}

// PlainDecimal returns a number without an exponent.
func PlainDecimal(number []byte) []byte {
	if bytes.IndexByte(number, 'e') < 0 && bytes.IndexByte(number, 'E') < 0 {
		return number
	}
	f, err := strconv.ParseFloat(string(number), 64)
	if err != nil { // too large: it stays as it stands
		return number
	}
	return strconv.AppendFloat(nil, f, 'f', -1, 64)
}

// IsList reports whether a text may be a JSON list or object.
func IsList(text []byte) bool { return len(text) > 0 && (text[0] == '[' || text[0] == '{') }

// flatten returns the text that stands for a JSON list or object; it reports false if
// raw is no JSON. Members of a list that are null or empty lists say nothing.
func flatten(raw []byte) (string, bool) {
	raw = jsonscan.Numberless(raw)
	var items []json.RawMessage
	if raw[0] == '[' && json.Unmarshal(raw, &items) == nil {
		var texts []string
		for _, item := range items {
			if text := string(jsonscan.Text(item)); text != "null" && text != "[]" {
				texts = append(texts, text)
			}
		}
		flat := strings.Join(texts, ", ")
		return flat, utf8.ValidString(flat)
	}
	var compact bytes.Buffer
	err := json.Compact(&compact, raw)
	return compact.String(), err == nil
}
