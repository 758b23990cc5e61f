package rowlist

import "encoding/binary"

// Append writes the note behind b.
func (n Note) Append(b []byte) []byte {
	return binary.AppendUvarint(b, uint64(n.ID)<<2|uint64(n.Said))
}

// CutNote takes a note off the front of b.
func CutNote(b []byte) (note Note, rest []byte, ok bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 || v>>2 > 1<<32-1 || v&3 >= uint64(saids) {
		return Note{}, nil, false
	}
	return Note{uint32(v >> 2), Said(v & 3)}, b[n:], true
}
