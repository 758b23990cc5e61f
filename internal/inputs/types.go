package inputs

import (
	"cmp"
	"fmt"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/values"
)

// All values of an attribute have one type. It is given in the configuration, or decided
// for all of them when the attribute is delivered first, and kept in the state.

// decideType decides the type of the attribute's values, now that all are read.
func (a *Attribute) decideType(fits values.Fits) {
	a.Decided, a.convert = a.Type, false
	switch {
	case a.Kind == engage.Audience:
		a.Decided = values.Boolean
	case a.Type == values.Datetime:
		a.Decided = values.Text
	case a.Type != values.Auto && a.Type != "":
	case a.Known != "":
		a.Decided = a.Known
	default:
		a.Decided, a.convert = fits.Type(), true
	}
	switch a.Decided {
	case values.Number:
		a.fitting = 1 << attr.Number
	case values.Text:
		a.fitting = 1 << attr.String
	case values.Boolean:
		a.fitting = 1<<attr.True | 1<<attr.False
	}
}

// typeNow returns the type of the attribute's values as far as it is known, also if nothing
// was read.
func (a *Attribute) typeNow() values.Type {
	if a.Kind == engage.Audience {
		return values.Boolean
	}
	return cmp.Or(a.Decided, a.Known)
}

// value makes a value of the attribute's type of what a row says.
func (a *Attribute) value(said attr.Value) attr.Value {
	if !a.convert {
		return said
	}
	v, _ := values.Convert(a.Decided, said) // all of them fit
	return v
}

// HasOtherType reports whether a value that Gleap has is not of the attribute's type: it was
// sent before types were decided, or the configuration gave another one.
func (a *Attribute) HasOtherType(known attr.Value) bool {
	const values = 1<<attr.False | 1<<attr.True | 1<<attr.Number | 1<<attr.String
	return a.fitting != 0 && 1<<known.Kind()&values&^a.fitting != 0
}

// AsType returns a value that Gleap has as one of the attribute's type, None if it cannot be.
func (a *Attribute) AsType(known attr.Value) attr.Value {
	if !a.HasOtherType(known) {
		return attr.Value{}
	}
	v, _ := values.Convert(a.Decided, known)
	return v
}

// ifGone says what ends that an attribute which a pattern took has no column any more, "" if the
// configuration names it.
func (a *Attribute) ifGone() string {
	if !a.found || a.Input.NamesInRows() { // of these the reason says what to do
		return ""
	}
	return fmt.Sprintf("; if it is gone for good, run gleapsync retire %s", a.Key)
}

// misfit says what ends that values do not fit the type which the attribute had when it was
// delivered first, "" if that is not why so many are invalid.
func (a *Attribute) misfit(invalid int) string {
	if invalid == 0 || a.Known == "" || a.Kind != engage.Trait || a.Type != values.Auto && a.Type != "" {
		return ""
	}
	return fmt.Sprintf(": %s came as %s before, so set its type to \"string\" (under types in a table) if other values are right", a.Key, a.Known)
}
