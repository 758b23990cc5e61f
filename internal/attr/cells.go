package attr

import "encoding/binary"

// Kinds are the kinds of a row's cells, half a byte each.
type Kinds []byte

// Of returns the kind of a cell, which a damaged row may have that is none.
func (k Kinds) Of(cell int) Kind { return Kind(k[cell/2] >> (cell % 2 * 4) & 0xf) }

// AppendCells appends what a row says, as sorters keep it: the [Kinds] of the cells, then for each
// cell that has one its text behind its length (uvarint).
func AppendCells(dst []byte, cells []Value) []byte {
	kinds := len(dst)
	dst = append(dst, make([]byte, (len(cells)+1)/2)...)
	for i := range cells {
		c := &cells[i]
		dst[kinds+i/2] |= byte(c.kind) << (i % 2 * 4)
		if c.kind.HasText() {
			dst = binary.AppendUvarint(dst, uint64(len(c.text)))
			dst = append(dst, c.text...)
		}
	}
	return dst
}

// CutCells cuts a row of n cells into their kinds and the texts.
func CutCells(payload []byte, n int) (kinds Kinds, texts []byte, ok bool) {
	size := (n + 1) / 2
	if len(payload) < size {
		return nil, nil, false
	}
	return Kinds(payload[:size]), payload[size:], true
}
