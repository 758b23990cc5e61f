package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"gleapsync/internal/nearest"
	"gleapsync/internal/source"
)

// Newest returns the latest of the times in a column, the zero one if there is none.
func (q Query) Newest(ctx context.Context, column string) (time.Time, error) {
	t, err := q.Open(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer t.Close()
	began := time.Now()
	answer := t.conn.ExecParams(ctx, fmt.Sprintf("SELECT max(%s) FROM %s", quoteName(column), t.from()), nil, nil, nil, nil).Read()
	switch {
	case ctx.Err() != nil:
		return time.Time{}, ctx.Err()
	case isMissingColumn(answer.Err):
		return time.Time{}, source.Unreadable("%s: there is no column %q, which loaded_at names%s", t.Name(), column, nearest.Hint(column, t.names))
	case answer.Err != nil:
		return time.Time{}, source.Unreadable("%s: %s", t.Name(), t.reason(answer.Err, began))
	case answer.Rows[0][0] == nil:
		return time.Time{}, nil
	}
	text := string(answer.Rows[0][0])
	for _, layout := range []string{"2006-01-02 15:04:05.999999999Z07", "2006-01-02 15:04:05.999999999", "2006-01-02"} { // in UTC, see settings
		if newest, err := time.Parse(layout, text); err == nil {
			return newest, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s: the column %q, which loaded_at names, has no times: it takes one of a type such as timestamp", t.Name(), column)
}

// isMissingColumn reports whether the server has no column of a name.
func isMissingColumn(err error) bool {
	refused := (*pgconn.PgError)(nil)
	return errors.As(err, &refused) && refused.Code == "42703"
}
