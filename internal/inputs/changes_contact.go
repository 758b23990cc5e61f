package inputs

import (
	"encoding/binary"

	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
)

// add implements [kind]. A row is one change.
func (x *changes) add(w *Wanted, row []byte) error {
	w.changed.any = true
	from := len(w.arena)
	w.arena = append(w.arena, row...)
	line, b, ok := w.cutLine(w.arena[from:])
	if !ok {
		return extsort.ErrTemp
	}
	number, n := binary.Uvarint(b)
	if n <= 0 || number > uint64(len(x.of)) || len(b) < n+16 {
		return extsort.ErrTemp
	}
	at, message := int64(binary.BigEndian.Uint64(b[n:])), binary.BigEndian.Uint64(b[n+8:])
	value, b, err := attr.Cut(b[n+16:])
	if err != nil {
		return extsort.ErrTemp
	}
	if number > 0 {
		if a := x.of[number-1]; a != nil && a.Active() {
			value = a.value(value)
			switch {
			case value.Kind() == attr.None:
			case number > uint64(len(x.computations)):
				w.audited = append(w.audited, audited{a, at, value})
			default:
				w.changed.Add(a.ID, at, message, value)
				if newest, _ := w.changed.timeOf(a.ID); newest == at {
					w.stands(a.ID, line)
				}
			}
		}
	}
	if x.NoFields {
		return nil
	}
	kinds, texts, ok := attr.CutCells(b, len(w.fields))
	if !ok {
		return extsort.ErrTemp
	}
	cell := 0
	for i, f := range x.o.Fields {
		said := false
		columns := make([][]byte, len(f.Columns))
		for j := range f.Columns {
			if kinds.Of(cell).HasText() {
				if columns[j], texts, ok = attr.CutText(texts); !ok {
					return extsort.ErrTemp
				}
				said = true
			}
			cell++
		}
		if newest := &w.changed.fields[i]; said && (newest.mark != w.now || at >= newest.at) {
			*newest = fieldChange{w.now, at, columns}
		}
	}
	return nil
}
