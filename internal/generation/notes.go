package generation

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"strconv"
)

// Note is what a generation keeps of a user besides his rows.
type Note struct {
	UserID string
	Text   []byte
	Stays  bool // it is of use whoever the user is; others are asked for by their users
}

// WriteNotes keeps the notes of a generation, which is complete then.
func (p *Place) WriteNotes(ctx context.Context, id string, all iter.Seq2[Note, error]) error {
	d := p.Database.Dialect()
	if err := p.create(ctx, id, notes, fmt.Sprintf("SELECT CAST(NULL AS %[1]s) AS %[2]s, CAST(NULL AS %[1]s) AS %[3]s, CAST(NULL AS %[1]s) AS %[4]s WHERE 1 = 0", d.Text, d.Quote(keyColumn), d.Quote(notesColumn), d.Quote(staysColumn))); err != nil {
		return err
	}
	var rows [][]string
	size := 0
	insert := func() error {
		sql, arguments := d.Rows(rows)
		rows, size = rows[:0], 0
		return p.Database.Exec(ctx, "INSERT INTO "+p.table(id, notes)+" "+sql, arguments...)
	}
	add := func(userID, text string, stays bool) error {
		rows = append(rows, []string{userID, text, strconv.FormatBool(stays)})
		if size += len(userID) + len(text); len(rows) == d.MostRows || size > someBytes {
			return insert()
		}
		return nil
	}
	count := 0
	for note, err := range all {
		if err != nil {
			return err
		}
		if err := add(note.UserID, hex.EncodeToString(note.Text), note.Stays); err != nil {
			return err
		}
		count++
	}
	rows = append(rows, []string{"", strconv.Itoa(count), "true"}) // the end
	return insert()
}

// Notes calls yield with those notes of a generation that stay, and with those of some users. The
// error is [ErrOther] if they are not all there.
func (p *Place) Notes(ctx context.Context, id string, userIDs []string, yield func(Note) error) error {
	d := p.Database.Dialect()
	count, err := p.numbers(ctx, "SELECT count(*) FROM "+p.table(id, notes))
	if err != nil {
		return err
	}
	end := -1
	row := func(stays bool) func([][]byte) error {
		return func(cells [][]byte) error {
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
			return yield(Note{string(cells[0]), text, stays})
		}
	}
	sql := fmt.Sprintf("SELECT %s, %s FROM %s WHERE ", d.Quote(keyColumn), d.Quote(notesColumn), p.table(id, notes))
	if err := p.Database.Each(ctx, sql+d.Quote(staysColumn)+" = 'true'", nil, row(true)); err != nil {
		return err
	}
	if end < 0 || count[0] != end+1 {
		return ErrOther
	}
	for some := range chunks(userIDs) {
		sql := fmt.Sprintf("%s%s = 'false' AND %s IN (%s)", sql, d.Quote(staysColumn), d.Quote(keyColumn), p.parameters(len(some)))
		if err := p.Database.Each(ctx, sql, some, row(false)); err != nil {
			return err
		}
	}
	return nil
}
