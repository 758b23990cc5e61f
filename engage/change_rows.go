package engage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"gleapsync/internal/attr"
	"gleapsync/internal/cell"
	"gleapsync/internal/keys"
	"gleapsync/internal/table"
	"gleapsync/internal/userid"
	"gleapsync/internal/values"
)

// SinceVariable stands in [Export.Command] for the time from which on rows are asked for.
const SinceVariable = "${SINCE}"

// commandSince returns the command with the time from which on it is asked for rows.
func (e *Export) commandSince() []string {
	if e.Cursor == "" {
		return e.Command
	}
	since := e.Since
	if since.IsZero() {
		since = time.Unix(0, 0)
	}
	command := slices.Clone(e.Command)
	for i, arg := range command {
		command[i] = strings.ReplaceAll(arg, SinceVariable, since.UTC().Format(time.RFC3339Nano))
	}
	return command
}

// sinceTable is a table that can leave rows out which were read before.
type sinceTable interface {
	// Since has only those rows be read whose column is not before a time, zero for all, or is
	// NULL: in the order of the column, and then of another one, -1: of none.
	Since(column int, at time.Time, then int) error
}

// rowColumns says where in a row the parts of a call stand, -1: nowhere.
type rowColumns struct {
	userID, at, cursor, message int
	fields                      []int
	values                      []int // for each computation
}

// newRowColumns finds the columns of rows with a cursor. missing has, by key, why an attribute has
// none.
func newRowColumns(names []string, e *Export) (c rowColumns, found []Computation, missing map[string]error, err error) {
	var wanted, lacking []string
	needed := func(name string) int {
		i := table.Find(names, name)
		if wanted = append(wanted, name); i < 0 {
			lacking = append(lacking, fmt.Sprintf("%q", name))
		}
		return i
	}
	either := func(setting string, standard ...string) int {
		if setting != "" {
			return needed(setting)
		}
		for _, name := range standard {
			if table.Find(names, name) >= 0 {
				return needed(name)
			}
		}
		return -1
	}
	c = rowColumns{
		userID: needed(cmp.Or(e.Columns.UserID, e.UserID, "user_id")), cursor: needed(e.Cursor),
		at: either(e.Columns.Timestamp, "timestamp", e.Cursor), message: either(e.Columns.MessageID, "id", "message_id"),
	}
	for _, field := range e.Fields {
		c.fields = append(c.fields, table.Find(names, field))
	}
	if len(lacking) > 0 {
		return c, nil, nil, fmt.Errorf("there is no column %s: name it with cursor, or under columns%s", strings.Join(lacking, " and no "), table.Present(names))
	}
	missing = map[string]error{}
	add := func(a Attribute, column int) {
		c.values = append(c.values, column)
		found = append(found, Computation{Attribute: a, Name: names[column]})
	}
	for _, a := range e.Attributes {
		name := cmp.Or(a.Column, a.Name)
		switch places := keys.Places(names, name, e.columns()); len(places) {
		case 0:
			missing[a.Key] = fmt.Errorf("there is no column %q%s", name, table.Present(names))
		case 1:
			wanted = append(wanted, name)
			add(a, places[0])
		default:
			missing[a.Key] = fmt.Errorf("there are the columns %q and %q, and either may be %q: write the one that is meant as it is", names[places[0]], names[places[1]], name)
		}
	}
	for _, a := range e.TakeColumns(names) {
		if i := slices.Index(names, a.Column); i != c.userID && i != c.at && i != c.cursor && i != c.message {
			wanted = append(wanted, a.Column)
			add(a, i)
		}
	}
	return c, found, missing, table.CheckOnce(names, append(wanted, e.Fields...))
}

// all returns the columns that have to be read, in their order.
func (c *rowColumns) all() []int {
	all := slices.Concat([]int{c.userID, c.at, c.cursor, c.message}, c.fields, c.values)
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(i int) bool { return i < 0 })
}

// readRows reads the rows of a database or of a command, one for each call.
func (r *changeReader) readRows(ctx context.Context, s *Source) (err error) {
	in := s.inputs.All[0]
	r.file, r.began = in.Name, time.Now()
	r.latest = r.began.Add(ahead)
	t, err := s.open(ctx, in, r.export.rowAttributes())
	switch {
	case errors.Is(err, table.ErrEmpty): // a command has nothing new to say, and ended well
		return nil
	case err != nil:
		return err
	}
	defer func() {
		if closeErr := t.Close(); err == nil {
			err = closeErr
		}
	}()
	if _, ok := t.(*table.NDJSON); ok && len(r.export.Wildcards) > 0 {
		return errNoNames(r.file)
	}
	names := t.Columns()
	c, found, missing, err := newRowColumns(names, &r.export)
	if err != nil {
		return fmt.Errorf("%s: %w", r.file, err)
	}
	r.result.Columns, r.result.Computations, r.result.Missing = names, found, missing
	for i := range r.result.Computations {
		r.result.Computations[i].Newest = earliest
	}
	_, isJSON := t.(*table.NDJSON)
	for i, column := range c.fields { // JSON has what a line has
		r.result.Fields[i] = column >= 0 && !isJSON
	}
	forms := make([]cell.Form, len(names))
	if typed, ok := t.(typedTable); ok {
		typed.Forms(forms)
	}
	if asked, ok := t.(askedTable); ok {
		asked.Ask(c.all())
	}
	if since, ok := t.(sinceTable); ok {
		if err := since.Since(c.cursor, r.export.Since, c.message); err != nil {
			return fmt.Errorf("%s: %w", r.file, err)
		}
	}
	r.seen = idCheck{named: cmp.Or(r.export.Columns.UserID, r.export.UserID) != ""}
	row := &rowOfColumns{&c, forms, nil}
	const instead = `name the column of your own ids with columns = { user_id = "…" }`
	if err := r.eachRow(ctx, t, errRowsCutOff, instead, func(cells [][]byte) error { row.cells = cells; return r.call(row) }); err != nil {
		return err
	}
	if r.result.Rows > r.undated || r.undated == 0 || !r.export.Since.IsZero() {
		return nil
	}
	return fmt.Errorf("%s: no row has a time in %s, which cursor names, so nobody can tell which rows are new", r.file, names[c.cursor])
}

// rowAttributes returns all columns that are wanted as attributes: where lines have other members
// each, that is what is looked for.
func (e *Export) rowAttributes() []Attribute {
	all := slices.Clone(e.Attributes)
	for _, name := range []string{e.Columns.UserID, e.Cursor, e.Columns.Timestamp, e.Columns.MessageID} {
		if name != "" {
			all = append(all, Attribute{Kind: Trait, Column: name})
		}
	}
	return all
}

var errRowsCutOff = errors.New("the last row has no line break, though the rows before ended with one: the output may be cut off. Have the command end each row with a line break")

// eachRow calls read with each row of a table that has changes, and counts the others. cutOff says
// what to do about a last row that is cut off: what it says would be missing for good, since the
// next run goes on behind it. instead says what to do about ids that are hashes.
func (r *changeReader) eachRow(ctx context.Context, t table.Table, cutOff error, instead string, read func(cells [][]byte) error) error {
	csv, _ := t.(*table.CSV)
	lines, _ := t.(lineTable)
	for {
		cells, err := t.Next()
		if err == io.EOF {
			if lines != nil {
				r.counts.ended(lines.Terminated())
			}
			return r.seen.end(r.file, instead)
		}
		r.line = t.Line()
		if lines != nil && lines.IsCutOff() {
			return fmt.Errorf("%s:%d: %w", r.file, r.line, cutOff)
		}
		if err := r.next(ctx); err != nil {
			return err
		}
		var broken *table.RowError
		switch {
		case errors.As(err, &broken):
			r.undated++
			r.invalid("", broken.Reason)
			r.miss(broken.Reason)
			continue
		case err != nil:
			return fmt.Errorf("%s: %w", r.file, err)
		case csv != nil && csv.IsSuspect():
			r.counts.remember(Problem{File: r.file, Line: r.line, Reason: table.Suspect})
			r.miss(table.Suspect)
		}
		if err := read(cells); err != nil {
			return err
		}
		if err := r.seen.check(r.file, instead); err != nil {
			return err
		}
	}
}

// rowOfColumns is a row of which it is known what its cells are.
type rowOfColumns struct {
	*rowColumns
	forms []cell.Form
	cells [][]byte
}

// text returns the text of a cell, nil if there is none.
func (row *rowOfColumns) text(column int) []byte {
	switch {
	case column < 0:
		return nil
	case row.forms[column] == cell.JSON:
		return scalarOrNothing(row.cells[column])
	}
	return row.cells[column]
}

// call reads what one row says. A cell without a value says nothing.
func (r *changeReader) call(row *rowOfColumns) error {
	switch at, ok := attr.Time(string(row.text(row.cursor))); {
	case !ok:
		r.undated++
	case at.After(r.result.Newest) && !at.After(r.began): // a wrong one that is ahead would hide all that come until then
		r.result.Newest = at
	}
	if !r.start(userid.Of(row.forms[row.userID], row.cells[row.userID]), row.text(row.at), row.text(row.message)) {
		return nil
	}
	r.seen.add(r.change.UserID)
	if len(r.export.Fields) > 0 {
		i := -1
		r.readFields(func(string) []byte { i++; return row.text(row.fields[i]) })
	}
	for n, column := range row.values {
		a := &r.result.Computations[n].Attribute
		value, reason := a.Value(values.Said(row.forms[column], row.cells[column]), &r.result.Computations[n].Fits)
		if reason != "" {
			r.invalid(a.Key, reason)
		}
		if kind := value.Kind(); reason != "" || kind == attr.None || kind == attr.Null {
			continue
		}
		if err := r.say(n, value); err != nil {
			return err
		}
	}
	return r.sayFields()
}
