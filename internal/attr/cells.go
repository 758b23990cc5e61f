package attr

import "encoding/binary"

// AppendCells appends what a row says, as sorters keep it: the kind of each cell in a
// byte, then for each cell that has one its text behind its length (uvarint).
func AppendCells(dst []byte, cells []Value) []byte {
	for _, cell := range cells {
		dst = append(dst, byte(cell.Kind()))
	}
	for _, cell := range cells {
		if cell.Kind().HasText() {
			dst = binary.AppendUvarint(dst, uint64(len(cell.Text())))
			dst = append(dst, cell.Text()...)
		}
	}
	return dst
}

// CutCells cuts a row of n cells into their kinds and the texts.
func CutCells(payload []byte, n int) (kinds, texts []byte, ok bool) {
	if len(payload) < n {
		return nil, nil, false
	}
	return payload[:n], payload[n:], true
}
