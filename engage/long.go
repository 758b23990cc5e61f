package engage

import "gleapsync/internal/attr"

// Raw leaves a cell as it stands: what it means is known only with the rest of the row, as
// in a long table, which has the names of its attributes in a column. See [Attribute.Parse].
const Raw Type = "raw"

// Parse reads a cell as a value of the attribute. None says nothing; reason tells why the
// cell cannot be read. The value may be a part of cell.
func (a Attribute) Parse(cell []byte) (v attr.Value, reason string) {
	if a.Kind != Audience {
		return a.Type.parse(cell)
	}
	v, ok := parseBool(cell)
	if !ok {
		reason = notBoolean
	}
	return v, reason
}
