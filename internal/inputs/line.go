package inputs

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
func (w *Wanted) cutLine(row []byte) (line int, said []byte, ok bool) {
	if w.lines == nil {
		return 0, row, true
	}
	n, size := binary.Uvarint(row)
	return int(n), row[max(0, size):], size > 0
}

// Line returns where a value of an attribute stands that the contact is told, 0 if no row says
// it or nobody asked.
func (w *Wanted) Line(told state.Change) int {
	wanted := w.values[told.ID]
	if w.lines == nil || w.lines[told.ID].mark != w.now || wanted.mark != w.now || !wanted.value.Equal(told.Value) {
		return 0
	}
	return w.lines[told.ID].value
}

// stands notes where a value of an attribute stands.
func (w *Wanted) stands(id uint32, line int) {
	if w.lines != nil {
		w.lines[id] = said[int]{line, w.now}
	}
}
