package rowlist

import (
	"encoding/binary"
	"iter"
)

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

// Notes are notes as [Note.Append] writes them, one behind the other. In a row that was read those
// that say [Nothing] stand in front. Most rows are passed over, and the notes of these nobody cuts.
type Notes []byte

// All goes over the notes.
func (n Notes) All() iter.Seq[Note] {
	return func(yield func(Note) bool) {
		for note, rest, ok := CutNote(n); ok && yield(note); {
			note, rest, ok = CutNote(rest)
		}
	}
}

// Nothing returns the notes of a row that was read that say [Nothing].
func (n Notes) Nothing() Notes {
	rest := n
	for {
		note, after, ok := CutNote(rest)
		if !ok || note.Said != Nothing {
			return n[:len(n)-len(rest)]
		}
		rest = after
	}
}
