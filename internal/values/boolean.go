package values

import (
	"bytes"
	"strings"

	"gleapsync/internal/attr"
)

// Two readings of booleans differ on purpose. Whoever declares a boolean, as an audience, as
// a type or as a column, says that 1 and yes mean true: [ReadBool] takes them. Where the
// type is inferred from the values, 1 may be a number and yes a text: [inferredBool] does not.

// boolean reads what is said as true or false; None if it says neither, and nothing else.
func boolean(said attr.Value) (attr.Value, bool) {
	switch said.Kind() {
	case attr.True, attr.False:
		return said, true
	case attr.Number: // 1.0 is 1
		if v, ok := attr.PlainNumber(PlainDecimal(said.Text())); ok {
			said = v
		}
	}
	return ReadBool(said.Text())
}

// ReadBool reads true and false as the warehouses write them, in any case:
// true, t, 1 and yes, false, f, 0 and no. Blank and null are None.
func ReadBool(cell []byte) (attr.Value, bool) {
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

// inferredBool reads true, false, t and f, in any case.
func inferredBool(text []byte) (attr.Value, bool) {
	if len(text) == 0 || len(text) > len("false") {
		return attr.Value{}, false
	}
	switch lower := bytes.ToLower(text); string(lower) {
	case "true", "t":
		return attr.OfBool(true), true
	case "false", "f":
		return attr.OfBool(false), true
	}
	return attr.Value{}, false
}
