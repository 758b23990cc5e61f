package generation

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"strconv"
	"strings"
)

// Note is what a generation keeps of a user besides his rows.
type Note struct {
	UserID string
	Text   []byte
}

// WriteNotes keeps the notes of a generation, which is complete then.
func (p *Place) WriteNotes(ctx context.Context, id string, all iter.Seq2[Note, error]) error {
	d := p.Database.Dialect()
	if err := p.create(ctx, id, notes, fmt.Sprintf("SELECT CAST(NULL AS %[1]s) AS %[2]s, CAST(NULL AS %[1]s) AS %[3]s WHERE 1 = 0", d.Text, d.Quote(keyColumn), d.Quote(notesColumn))); err != nil {
		return err
	}
	var values, arguments []string
	insert := func() error {
		if len(values) == 0 {
			return nil
		}
		err := p.Database.Exec(ctx, fmt.Sprintf("INSERT INTO %s VALUES %s", p.table(id, notes), strings.Join(values, ", ")), arguments...)
		values, arguments = values[:0], arguments[:0]
		return err
	}
	add := func(userID, text string) error {
		n := len(arguments)
		values = append(values, fmt.Sprintf("(%s, %s)", d.Parameter(n+1), d.Parameter(n+2)))
		arguments = append(arguments, userID, text)
		if len(values) == someIDs {
			return insert()
		}
		return nil
	}
	count := 0
	for note, err := range all {
		if err != nil {
			return err
		}
		if err := add(note.UserID, hex.EncodeToString(note.Text)); err != nil {
			return err
		}
		count++
	}
	if err := add("", strconv.Itoa(count)); err != nil { // the end
		return err
	}
	return insert()
}

// Notes calls yield with the notes of a generation. The error is [ErrOther] if they are not all there.
func (p *Place) Notes(ctx context.Context, id string, yield func(Note) error) error {
	d := p.Database.Dialect()
	count, end := 0, -1
	err := p.Database.Each(ctx, fmt.Sprintf("SELECT %s, %s FROM %s", d.Quote(keyColumn), d.Quote(notesColumn), p.table(id, notes)), nil, func(cells [][]byte) error {
		if len(cells[0]) == 0 {
			n, err := strconv.Atoi(string(cells[1]))
			if err != nil || end >= 0 {
				return ErrOther
			}
			end = n
			return nil
		}
		text, err := hex.DecodeString(string(cells[1]))
		if err != nil {
			return ErrOther
		}
		count++
		return yield(Note{string(cells[0]), text})
	})
	if err == nil && count != end {
		return ErrOther
	}
	return err
}
