package engage

import (
	"gleapsync/internal/attr"
	"gleapsync/internal/values"
)

// Value makes a value of the attribute's type of what a row says, see [values.Read].
func (a *Attribute) Value(said attr.Value, fits *values.Fits) (v attr.Value, reason string) {
	t := a.Type
	if a.Kind == Audience {
		t = values.Boolean
	}
	return values.Read(t, a.Known, said, fits)
}
