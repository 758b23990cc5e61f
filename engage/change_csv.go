package engage

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gleapsync/internal/attr"
	"gleapsync/internal/jsonscan"
	"gleapsync/internal/source"
	"gleapsync/internal/table"
	"gleapsync/internal/values"
)

// changeColumns says where in a row the parts of a change stand, -1: nowhere.
type changeColumns struct {
	name, id, action, userID, timestamp, message int
	traits                                       int // JSON
	fields                                       []int
}

// The prefixes of Engage's ids say what a row is about: in this CSV nothing else does.
var prefixes = map[string]Kind{"aud_": Audience, "jst_": Audience, "tra_": Trait}

// newChangeColumns finds the columns of the CSV that Segment's S3 and SFTP destinations
// write of audiences and traits.
func newChangeColumns(names []string, e Export) (c changeColumns, err error) {
	var wanted, missing []string
	needed := func(setting, standard string) int {
		name := cmp.Or(setting, standard)
		i := table.Find(names, name)
		if wanted = append(wanted, name); i < 0 {
			missing = append(missing, strconv.Quote(name))
		}
		return i
	}
	c = changeColumns{
		name:      needed(e.Columns.AudienceName, "audience_name"),
		action:    needed(e.Columns.AudienceAction, "audience_action"),
		userID:    needed(cmp.Or(e.Columns.UserID, e.UserID), "user_id"),
		timestamp: needed(e.Columns.Timestamp, "timestamp"),
		id:        table.Find(names, cmp.Or(e.Columns.AudienceID, "audience_id")),
		message:   table.Find(names, cmp.Or(e.Columns.MessageID, "message_id")),
		traits:    table.Find(names, "traits_or_props"),
	}
	if c.traits < 0 { // both names are in use
		c.traits = table.Find(names, "properties_or_traits")
	}
	for _, field := range e.Fields {
		c.fields = append(c.fields, table.Find(names, field))
	}
	if len(missing) > 0 {
		return c, fmt.Errorf("the header has no column %s: name it under columns%s", strings.Join(missing, " and no "), table.Present(names))
	}
	return c, table.CheckOnce(names, append(wanted, e.Fields...))
}

var errCutOff = errors.New("the last row has no line break, though the files before ended with one: the file may be cut off. Have it written again; if the row is whole, end it with a line break")

// readCSV reads a file of changes.
func (r *changeReader) readCSV(ctx context.Context, text *source.Text) error {
	t, err := table.NewCSV(text, r.export.Delimiter, r.endsLines)
	if err != nil {
		return fmt.Errorf("%s: %w", r.file, err)
	}
	columns, err := newChangeColumns(t.Columns(), r.export)
	if err != nil {
		return fmt.Errorf("%s: %w", r.file, err)
	}
	for i, column := range columns.fields {
		if column >= 0 {
			r.result.Fields[i] = true
		}
	}
	r.seen = idCheck{named: cmp.Or(r.export.Columns.UserID, r.export.UserID) != ""}
	const instead = `have the destination send them as they are (if they really are your user ids, name their column with columns = { user_id = "…" })`
	return r.eachRow(ctx, t, errCutOff, instead, func(cells [][]byte) error { return r.row(cells, &columns) })
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
	r.seen.add(r.change.UserID)
	name, action := cell(c.name), cell(c.action)
	if values.IsNull(name) {
		r.invalid("audience_name", "the row names no audience and no trait")
		return nil
	}
	r.traits = r.traits[:0]
	sound := true
	if text := cell(c.traits); !values.IsNull(text) {
		r.traits, sound = jsonscan.Append(r.traits, text)
	}
	said := r.traits.Get(string(name))
	kind := r.kind(name, cell(c.id), action, said)
	member, ok := values.ReadBool(action)
	switch {
	case kind == Audience && (!ok || member.Kind() == attr.None):
		r.invalid("audience_action", values.Neither)
		return nil
	case kind == Trait && !sound:
		r.invalid("traits_or_props", "the JSON of the traits is no object")
		return nil
	}
	if len(r.export.Fields) > 0 {
		i := -1
		r.readFields(func(name string) []byte {
			if i++; c.fields[i] >= 0 {
				return fields[c.fields[i]]
			}
			return traitText(r.traits, name)
		})
	}
	if n := r.computation(name, cell(c.id), kind); n >= 0 {
		var err error
		switch {
		case kind == Audience:
			err = r.say(n, member)
		case said != nil:
			err = r.sayRaw(n, said)
		default:
			err = r.sayText(n, action)
		}
		if err != nil {
			return err
		}
	}
	return r.sayFields()
}

// kind tells whether a row is about an audience or a trait: its id does, else the
// configuration, else the value.
func (r *changeReader) kind(name, id, action []byte, said json.RawMessage) Kind {
	if len(id) > 4 {
		if kind, ok := prefixes[string(id[:4])]; ok {
			return kind
		}
	}
	if a, ok := r.export.TakeComputation(string(name), ""); ok {
		return a.Kind
	}
	if values.IsNull(action) && said != nil {
		action = said
	}
	if _, ok := values.ReadBool(action); ok {
		return Audience
	}
	return Trait
}
