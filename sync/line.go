package sync

import (
	"encoding/binary"

	"gleapsync/state"
)

// Where a row stands matters only to who looks at the changes. Then rows are sorted with it.

// place is where a row stands.
type place struct {
	file string
	line int
}

// appendLine appends where a row stands, as sorters keep it: in front of what it says.
func appendLine(dst []byte, line int) []byte { return binary.AppendUvarint(dst, uint64(line)) }

// cutLine returns where a row stands, 0 if nobody asked, and what it says.
func (c *contact) cutLine(row []byte) (line int, said []byte, ok bool) {
	if c.lines == nil {
		return 0, row, true
	}
	n, size := binary.Uvarint(row)
	return int(n), row[max(0, size):], size > 0
}

// line returns where a value of an attribute stands that the contact is told, 0 if no row says
// it or nobody asked.
func (c *contact) line(told state.Change) int {
	wanted := c.wanted[told.ID]
	if c.lines == nil || c.lines[told.ID].mark != c.now || wanted.mark != c.now || !wanted.value.Equal(told.Value) {
		return 0
	}
	return c.lines[told.ID].value
}

// stands notes where a value of an attribute stands.
func (c *contact) stands(id uint32, line int) {
	if c.lines != nil {
		c.lines[id] = said[int]{line, c.now}
	}
}
