package sync

import "encoding/binary"

// Where a row stands matters only to who looks at the changes. Then rows are sorted with it.

// appendLine appends where a row stands, as sorters keep it: in front of what it says.
func appendLine(dst []byte, line int) []byte { return binary.AppendUvarint(dst, uint64(line)) }

// cutLine returns where a row stands, 0 if nobody asked, and what it says.
func (r Request) cutLine(row []byte) (line int, said []byte, ok bool) {
	if !r.traces {
		return 0, row, true
	}
	n, size := binary.Uvarint(row)
	return int(n), row[max(0, size):], size > 0
}
