// Package values reads what the cells of exports say, and makes values of it that have the type of
// their attribute.
//
// What a cell says is a text, a number or a boolean, or nothing ([Said]). Where the type is given it
// is read at once ([Read]); else [Fits] learns of all values, tells their type, and [Convert] makes
// it of each. Blank and NULL say nothing, whatever the type.
package values

import (
	"gleapsync/internal/attr"
	"gleapsync/internal/cell"
)

// Type says how a trait's values are read.
type Type string

// The types of a trait. Blank and NULL say nothing, whatever the type.
const (
	// Auto is decided once for all values of an attribute, see [Fits].
	Auto     Type = "auto"
	Text     Type = "string"
	Number   Type = "number"   // what is no number is an invalid value
	Boolean  Type = "boolean"  // see [ReadBool] if it is declared, [inferredBool] if [Fits] found it
	Datetime Type = "datetime" // sent as RFC 3339 in UTC
	// Raw leaves a cell as it is said: what it means is known only with the rest of the row,
	// as in a long table, which has the names of its attributes in a column.
	Raw Type = "raw"
)

// Fits learns of all values of an attribute and tells their type. Values that are no text
// have theirs. A text is a boolean if it is true, false, t or f in any case, and a number
// if it is a plain decimal that a float64 prints back, zeros at the end aside. Where not
// all values are one or the other, all are texts: that an integer is beyond 2^53 makes
// texts of all, so that it stays exact.
type Fits struct {
	any        bool // a value that says something, whatever the type
	notBoolean bool
	notNumber  bool
}

// learn takes one value in. Once both are ruled out it costs nothing.
func (f *Fits) learn(said attr.Value) {
	if f.notBoolean && f.notNumber {
		return
	}
	switch said.Kind() {
	case attr.True, attr.False:
		f.any, f.notNumber = true, true
	case attr.Number:
		f.any, f.notBoolean = true, true
		if !f.notNumber {
			_, ok := attr.PlainNumber(PlainDecimal(said.Text()))
			f.notNumber = !ok
		}
	case attr.String:
		text := said.Text()
		if !f.notNumber {
			if _, ok := attr.PlainNumber(text); ok { // which is nothing else
				f.any, f.notBoolean = true, true
				return
			}
		}
		if IsList(text) {
			if flat := toText(said); flat.Kind() != attr.None { // else it says nothing
				f.any, f.notBoolean, f.notNumber = true, true, true
			}
			return
		}
		if cell.IsNotFinite(text) { // of a number it says nothing
			f.notBoolean = true
			return
		}
		f.any, f.notNumber = true, true
		if !f.notBoolean {
			_, ok := inferredBool(text)
			f.notBoolean = !ok
		}
	}
}

// Add takes in what others tell: those of another file.
func (f *Fits) Add(other Fits) {
	f.any = f.any || other.any
	f.notBoolean = f.notBoolean || other.notBoolean
	f.notNumber = f.notNumber || other.notNumber
}

// MayBeText reports whether values that say nothing as it stands are texts once others are.
func (f Fits) MayBeText() bool { return !f.any && f.notBoolean }

// Type returns the type of all values: [Boolean], [Number] or [Text]; "" if there was none.
func (f Fits) Type() Type {
	switch {
	case !f.any:
		return ""
	case !f.notBoolean:
		return Boolean
	case !f.notNumber:
		return Number
	}
	return Text
}

// Convert makes a value of a type that was decided of what is said; without one it says
// nothing. It reports false for what does not fit.
func Convert(t Type, said attr.Value) (v attr.Value, ok bool) {
	if said.Kind() == attr.None || said.Kind() == attr.Null {
		return said, true
	}
	switch t {
	case Text:
		return toText(said), true
	case Boolean:
		switch said.Kind() {
		case attr.True, attr.False:
			return said, true
		case attr.String:
			v, ok = inferredBool(said.Text())
		}
	case Number:
		switch said.Kind() {
		case attr.Number:
			v, ok = attr.PlainNumber(PlainDecimal(said.Text()))
		case attr.String:
			if v, ok = attr.PlainNumber(said.Text()); !ok {
				ok = cell.IsNotFinite(said.Text())
			}
		}
	default:
		return attr.Value{}, true
	}
	if !ok && said.Kind() == attr.String && IsList(said.Text()) {
		ok = toText(said).Kind() == attr.None
	}
	return v, ok
}
