// Package attr holds the one type that reading, planning, storing and sending
// share: the value of a Gleap custom attribute. It also reads numbers and dates from texts
// ([exactNumber], [PlainNumber] and [NearestNumber]; [Datetime] and [Time], in datetime.go), and
// encodes values one by one ([Value.Append]) and as rows ([AppendCells], in cells.go).
//
// Gleap takes strings, numbers and booleans. A [Value] is one of these, null
// (which clears an attribute), or nothing at all. Numbers and strings keep the
// text they were read with, so that comparing two values is comparing bytes and
// no number ever passes through a float on its way to Gleap.
package attr

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf8"
)

// Kind says which JSON type a value has.
type Kind byte

// The kinds of value. Their numbers are part of the state file's format.
const (
	None   Kind = iota // nothing is known or said
	Null               // the attribute is cleared
	False              // JSON false
	True               // JSON true
	Number             // a JSON number
	String             // a JSON string
)

// HasText reports whether values of the kind have a text.
func (k Kind) HasText() bool { return k == Number || k == String }

// Value is the value of one attribute. The zero Value is [None].
type Value struct {
	kind Kind
	text []byte // of a Number or String
}

// Of returns the value that has this kind and text: those of a value that was taken
// apart. It keeps text, it does not copy it.
func Of(kind Kind, text []byte) Value { return Value{kind, text} }

// OfNull returns the value that clears an attribute.
func OfNull() Value { return Value{kind: Null} }

// OfBool returns a boolean value.
func OfBool(b bool) Value {
	if b {
		return Value{kind: True}
	}
	return Value{kind: False}
}

// OfString returns a string value. It keeps text, it does not copy it.
func OfString(text []byte) Value { return Value{kind: String, text: text} }

// OfNumber returns a number that is written to JSON as text, which must be a
// JSON number. It keeps text, it does not copy it.
func OfNumber(text []byte) Value { return Value{kind: Number, text: text} }

// Kind returns the kind of v.
func (v Value) Kind() Kind { return v.kind }

// Text returns the text of a number or string, else nil. It must not be changed.
func (v Value) Text() []byte { return v.text }

// Clone returns a value with a text of its own.
func (v Value) Clone() Value { return Value{v.kind, bytes.Clone(v.text)} }

// Equal reports whether v and w are the same value.
func (v Value) Equal(w Value) bool {
	return v.kind == w.kind && bytes.Equal(v.text, w.text)
}

// Compare orders values by their kind and then by their text, byte by byte: false is before true.
func (v Value) Compare(w Value) int {
	return cmp.Or(cmp.Compare(v.kind, w.kind), bytes.Compare(v.text, w.text))
}

// AppendJSON appends v as JSON; None is written as null. Bytes that are not
// UTF-8 become U+FFFD, as encoding/json has it.
func (v Value) AppendJSON(dst []byte) []byte {
	switch v.kind {
	case True:
		return append(dst, "true"...)
	case False:
		return append(dst, "false"...)
	case Number:
		return append(dst, v.text...)
	case String:
		return AppendJSONString(dst, v.text)
	}
	return append(dst, "null"...)
}

// MarshalJSON writes v as [Value.AppendJSON] does.
func (v Value) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }

// String returns v as a person reads it: the text of a string without quotes,
// everything else as JSON, and nothing for None.
func (v Value) String() string {
	switch v.kind {
	case None:
		return ""
	case String:
		return string(v.text)
	}
	return string(v.AppendJSON(nil))
}

// AppendJSONString appends text as a JSON string.
func AppendJSONString(dst, text []byte) []byte {
	for _, c := range text {
		if c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(string(text))
			if err != nil { // a string always marshals
				panic(err)
			}
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, text...)
	return append(dst, '"')
}

// Append appends the binary form of v, which [Cut] reads: the kind in one byte,
// for numbers and strings followed by the length of the text (uvarint) and the
// text.
func (v Value) Append(dst []byte) []byte {
	dst = append(dst, byte(v.kind))
	if v.kind >= Number {
		dst = binary.AppendUvarint(dst, uint64(len(v.text)))
		dst = append(dst, v.text...)
	}
	return dst
}

// ErrCorrupt is returned by [Cut] for bytes that [Value.Append] cannot have
// written.
var ErrCorrupt = errors.New("not an encoded attribute value")

// Cut reads one value from the start of b and returns what follows it. The
// value's text is a part of b.
func Cut(b []byte) (v Value, rest []byte, err error) {
	if len(b) == 0 || Kind(b[0]) > String {
		return Value{}, nil, ErrCorrupt
	}
	v.kind, b = Kind(b[0]), b[1:]
	if v.kind < Number {
		return v, b, nil
	}
	text, b, ok := CutText(b)
	if !ok || v.kind == Number && !isJSONNumber(text) {
		return Value{}, nil, ErrCorrupt
	}
	v.text = text
	return v, b, nil
}

// CutText cuts a text behind its length (uvarint) from the start of b, of which it is a part.
func CutText(b []byte) (text, rest []byte, ok bool) {
	if len(b) > 0 && b[0] < 0x80 && int(b[0]) < len(b) { // most are short
		n := 1 + int(b[0])
		return b[1:n:n], b[n:], true
	}
	return cutLongText(b)
}

func cutLongText(b []byte) (text, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	return b[n : n+int(size) : n+int(size)], b[n+int(size):], true
}

// isJSONNumber reports whether text can stand in JSON as a number.
func isJSONNumber(text []byte) bool {
	if isShortNumber(text) { // as most are
		return true
	}
	rest := withoutSign(text)
	whole := digits(rest)
	if whole == 0 || whole > 1 && rest[0] == '0' {
		return false
	}
	if rest = rest[whole:]; len(rest) > 0 && rest[0] == '.' {
		fraction := digits(rest[1:])
		if fraction == 0 {
			return false
		}
		rest = rest[1+fraction:]
	}
	if len(rest) > 0 && (rest[0] == 'e' || rest[0] == 'E') {
		rest = rest[1:]
		if len(rest) > 0 && (rest[0] == '-' || rest[0] == '+') {
			rest = rest[1:]
		}
		return len(rest) > 0 && digits(rest) == len(rest)
	}
	return len(rest) == 0
}

// withoutSign returns text without the minus that it begins with, if it does.
func withoutSign(text []byte) []byte {
	if len(text) > 0 && text[0] == '-' {
		return text[1:]
	}
	return text
}

// digits returns with how many digits text begins.
func digits(text []byte) int {
	n := 0
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	return n
}

// isShortNumber reports whether text is a number of at most 15 digits as a float64 prints
// it, as most numbers are: no zeros that could be left out, no exponent. Numbers of so few
// digits differ as float64s too, so each of them is printed back as it was.
func isShortNumber(text []byte) bool {
	unsigned := withoutSign(text)
	whole := digits(unsigned)
	switch {
	case whole == 0, whole > 1 && unsigned[0] == '0':
		return false
	case whole == len(unsigned):
		return whole <= 15 && string(text) != "-0"
	}
	fraction := unsigned[whole+1:]
	return unsigned[whole] == '.' && len(fraction) > 0 && whole+len(fraction) <= 15 &&
		digits(fraction) == len(fraction) && fraction[len(fraction)-1] != '0'
}

// maxExact is 2^53: up to it every integer has a float64 of its own.
const maxExact = 1 << 53

// exactNumber returns text as a number if a float64 holds it exactly and prints
// back as the same text: 42, -1.5 and 0.1 are, 007, 1e3, 1.50 and
// 9007199254740993 are not. Such texts are ids, codes or amounts of which a
// JSON number would lose a part.
func exactNumber(text []byte) (Value, bool) {
	if isShortNumber(text) {
		return OfNumber(text), true
	}
	if len(text) == 0 || len(text) > 24 || text[len(text)-1] > '9' || !printsBack(text) {
		return Value{}, false
	}
	return OfNumber(text), true
}

// printsBack reports whether a float64 holds a number and prints it as the same text.
func printsBack(text []byte) bool {
	var buffer [32]byte
	f, ok := parseFloat(text)
	return ok && bytes.Equal(strconv.AppendFloat(buffer[:0], f, 'f', -1, 64), text) && string(text) != "-0"
}

// PlainNumber returns the number that a plain decimal stands for, in its shortest form:
// 829.10 is 829.1. It refuses what is none (007, 1e3, +5), what a float64 would print as
// another decimal, and integers beyond 2^53. The number's text may be a part of text.
func PlainNumber(text []byte) (Value, bool) {
	if isShortNumber(text) { // as most are
		return OfNumber(text), true
	}
	unsigned := withoutSign(text)
	whole := digits(unsigned)
	if whole == 0 || whole > 1 && unsigned[0] == '0' {
		return Value{}, false
	}
	if whole < len(unsigned) {
		fraction := unsigned[whole+1:]
		if unsigned[whole] != '.' || len(fraction) == 0 || digits(fraction) != len(fraction) {
			return Value{}, false
		}
		text = bytes.TrimSuffix(bytes.TrimRight(text, "0"), []byte{'.'})
	}
	if string(text) == "-0" {
		text = text[1:]
	}
	return exactNumber(text)
}

// NearestNumber returns the number that text stands for in its shortest form.
// It refuses what a float64 cannot stand for: integers beyond 2^53, infinities
// and what is no number.
func NearestNumber(text []byte) (Value, bool) {
	if exact, ok := exactNumber(text); ok {
		return exact, true
	}
	f, ok := parseFloat(text)
	if !ok || f == maxExact || f == -maxExact { // 2^53 is what 2^53 + 1 rounds to
		return Value{}, false
	}
	if f == 0 {
		f = 0 // no negative zero
	}
	return OfNumber(strconv.AppendFloat(nil, f, 'f', -1, 64)), true
}

func parseFloat(text []byte) (float64, bool) {
	for _, c := range text { // ParseFloat also takes hex, underscores, "inf" and "nan"
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(string(text), 64)
	return f, err == nil && f >= -maxExact && f <= maxExact
}
