package engage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"gleapsync/internal/attr"
)

// changeColumns says where in a row the parts of a change stand, -1: nowhere.
type changeColumns struct {
	name, id, action, userID, timestamp, message int
	traits                                       int // JSON
	fields                                       []int
}

// newChangeColumns finds the columns of the CSV that Segment's S3 and SFTP destinations
// write of audiences.
func newChangeColumns(names []string, e Export) (c changeColumns, err error) {
	needed := func(setting, standard string) int {
		i := find(names, cmp.Or(setting, standard))
		if i < 0 {
			err = errors.Join(err, fmt.Errorf("the header has no column %q: name it under columns", cmp.Or(setting, standard)))
		}
		return i
	}
	c = changeColumns{
		name:      needed(e.Columns.AudienceName, "audience_name"),
		action:    needed(e.Columns.AudienceAction, "audience_action"),
		userID:    needed(cmp.Or(e.Columns.UserID, e.UserID), "user_id"),
		timestamp: needed(e.Columns.Timestamp, "timestamp"),
		id:        find(names, cmp.Or(e.Columns.AudienceID, "audience_id")),
		message:   find(names, cmp.Or(e.Columns.MessageID, "message_id")),
		traits:    find(names, "properties_or_traits"),
	}
	for _, field := range e.Fields {
		c.fields = append(c.fields, find(names, field))
	}
	return c, err
}

// readCSV reads a file of audience changes.
func (r *changeReader) readCSV(ctx context.Context, text io.Reader) error {
	t, err := newCSVTable(text, r.export.Delimiter, func() error { return nil })
	if err != nil {
		return fmt.Errorf("%s: %w", r.file, err)
	}
	columns, err := newChangeColumns(t.columns(), r.export)
	if err != nil {
		return fmt.Errorf("%s: %w", r.file, err)
	}
	for i, column := range columns.fields {
		if column >= 0 {
			r.result.Fields[i] = true
		}
	}
	for {
		fields, err := t.next()
		if err == io.EOF {
			return nil
		}
		r.line = t.line()
		if err := r.next(ctx); err != nil {
			return err
		}
		var broken *rowError
		switch {
		case errors.As(err, &broken):
			r.invalid("", broken.reason)
			r.miss(broken.reason)
		case err != nil:
			return fmt.Errorf("%s: %w", r.file, err)
		default:
			if err := r.row(fields, &columns); err != nil {
				return err
			}
		}
	}
}

func (r *changeReader) row(fields [][]byte, c *changeColumns) error {
	cell := func(i int) []byte {
		if i < 0 {
			return nil
		}
		return fields[i]
	}
	if !r.start(cell(c.userID), cell(c.timestamp), cell(c.message)) {
		return nil
	}
	member, ok := parseBool(cell(c.action))
	switch {
	case isNull(cell(c.name)):
		r.invalid("audience_name", "the row names no audience")
		return nil
	case !ok || member.Kind() == attr.None:
		r.invalid("audience_action", notBoolean)
		return nil
	}
	if len(r.export.Fields) > 0 {
		r.traits = r.traits[:0]
		if text := cell(c.traits); !isNull(text) {
			r.traits, _ = appendObject(r.traits, text)
		}
		i := -1
		r.readFields(func(name string) []byte {
			if i++; c.fields[i] >= 0 {
				return fields[c.fields[i]]
			}
			return traitText(r.traits, name)
		})
	}
	if n := r.computation(cell(c.name), cell(c.id), Audience); n >= 0 {
		if err := r.say(n, member); err != nil {
			return err
		}
	}
	return r.sayFields()
}
