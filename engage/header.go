package engage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gleapsync/internal/keys"
	"gleapsync/internal/source"
	"gleapsync/internal/table"
)

// layout says where in a row the wanted things stand.
type layout struct {
	userIDs  []int // columns with a user id, the first one first
	named    bool  // the configuration names the user id's column
	profile  int   // Segment's own id of a profile, -1: none
	external int   // JSON object of the profile's external ids, -1: none
	traits   int   // JSON object of the profile's traits, -1: none
	cells    []cellSource
	// Some of the cells are in the JSON of traits or external ids.
	anyInJSON bool
	missing   []error // for each attribute: why the header does not have it
}

// cellSource says where one attribute or contact field stands.
type cellSource struct {
	column int    // -1: not a column of its own
	member bool   // being in the export is the value
	name   string // in the JSON of traits and external ids
	key    string // the name's key, which may stand there too if no attribute has that name
	inJSON bool
	isBool bool // a column of texts that say true or false, known once its form is
}

// otherForm is what a user can do about an export without user ids.
const otherForm = `download the audience again as "Unformatted" or "Formatted" CSV with the user_id identifier`

// newLayout finds what e wants in a header. It fails where no user id can be had, and
// where a needed column stands twice; an attribute without a column is only missing.
func newLayout(names []string, e Export) (*layout, error) {
	l := &layout{
		profile:  table.Find(names, "key"),
		external: table.Find(names, "external_ids"),
		traits:   table.Find(names, "traits"),
		missing:  make([]error, len(e.Attributes)),
	}
	needed, err := l.findUserIDs(names, e)
	if err != nil {
		return nil, err
	}
	for i, a := range e.Attributes {
		source := cellSource{column: -1, name: a.Name}
		name := cmp.Or(a.Column, a.Key) // of the column, if there is one
		switch {
		case a.Column != "":
			source.name = a.Column
			switch places := keys.Places(names, a.Column, e.columns()); len(places) {
			case 0:
			case 1:
				source.column = places[0]
			default:
				needed = append(needed, name)
				l.missing[i] = fmt.Errorf("%s has the columns %q and %q, and either may be %q: write the one that is meant as it stands there", e.header(), names[places[0]], names[places[1]], a.Column)
			}
		case a.Kind == Audience:
			// A column of the audience's own name says who is in and who is not.
			source.column = findKey(names, a)
			source.member = source.column < 0
		default:
			if source.column = table.Find(names, "value"); source.column >= 0 {
				name = "value"
			} else {
				source.column = findKey(names, a)
			}
		}
		switch {
		case source.column >= 0:
			needed = append(needed, name)
		case source.member, l.missing[i] != nil:
		case l.traits >= 0:
			source.inJSON = true
		default:
			l.missing[i] = fmt.Errorf("%s has no column %q%s", e.header(), cmp.Or(a.Column, "value"), table.Meant(cmp.Or(a.Column, "value"), names))
		}
		l.cells = append(l.cells, source)
	}
	for _, field := range e.Fields {
		source := cellSource{column: table.Find(names, field), name: field}
		if source.column >= 0 {
			needed = append(needed, field)
		} else {
			source.inJSON = l.traits >= 0 || l.external >= 0
		}
		l.cells = append(l.cells, source)
	}
	for i := range l.cells {
		if key := keys.Make(l.cells[i].name); !slices.ContainsFunc(e.Attributes, func(a Attribute) bool { return a.Name == key }) {
			l.cells[i].key = key
		}
	}
	l.anyInJSON = slices.ContainsFunc(l.cells, func(c cellSource) bool { return c.inJSON })
	if l.anyInJSON {
		needed = append(needed, "traits")
	}
	if l.anyInJSON || !l.named {
		needed = append(needed, "external_ids")
	}
	return l, table.CheckOnce(names, needed)
}

// columns returns the columns that have to be read, in their order.
func (l *layout) columns() []int {
	all := append(slices.Clone(l.userIDs), l.profile, l.external)
	if l.anyInJSON {
		all = append(all, l.traits)
	}
	for _, cell := range l.cells {
		all = append(all, cell.column)
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(i int) bool { return i < 0 })
}

// others returns the columns that have to be read for anything but the first cells.
func (l *layout) others(cells int) []int {
	rest := *l
	rest.cells = l.cells[cells:]
	return rest.columns()
}

// findUserIDs finds the columns with user ids, and returns their names.
func (l *layout) findUserIDs(names []string, e Export) ([]string, error) {
	if setting := e.UserID; setting != "" {
		i := table.Find(names, setting)
		if i < 0 {
			return nil, fmt.Errorf("%s has no column %q, which user_id names%s", e.header(), setting, table.Present(names))
		}
		l.userIDs, l.named = []int{i}, true
		return []string{setting}, nil
	}
	var found []string
	name := "user_id" // or userId, or USER_ID
	for n := 1; ; n++ {
		i := table.Find(names, name)
		if i >= 0 {
			l.userIDs, found = append(l.userIDs, i), append(found, name)
		} else if n > 1 {
			break
		}
		name = "user_id_" + strconv.Itoa(n) // a profile's further ids
	}
	switch {
	case len(l.userIDs) > 0 || l.external >= 0:
		return found, nil
	case e.isDatabase():
		return nil, fmt.Errorf("%s has no column user_id, userId or external_ids: name the user id's column with user_id%s", e.header(), table.Present(names))
	case len(names) == 1:
		return nil, errors.New("a single-column export holds no user id: " + otherForm)
	}
	return nil, errors.New("the header has no column user_id, userId or external_ids: name the user id's column with user_id, or " + otherForm + table.Present(names))
}

// checkComment returns an error if the first line is a comment and no header: it begins
// with a #, or with the sep= of spreadsheets, and has no user id.
func (e Export) checkComment(names []string) error {
	if strings.HasPrefix(names[0], "sep=") {
		return errors.New("the file begins with sep=, which is for spreadsheets: take that line out, so that the names of the columns come first")
	}
	if !strings.HasPrefix(names[0], "#") {
		return nil
	}
	l := layout{external: table.Find(names, "external_ids")}
	if _, err := l.findUserIDs(names, e); err == nil {
		return nil
	}
	return errors.New("the file begins with a comment (#): take that line out, so that the names of the columns come first")
}

// header returns what people call that which names the columns.
func (e *Export) header() string {
	switch {
	case !e.isDatabase():
		return "the header"
	case e.Table != "":
		return "the table"
	}
	return "the query"
}

// findKey finds the column that an attribute's own name gives it, but none of Segment's own.
// It is one also if underscores make the difference: without it everybody would be in.
func findKey(names []string, a Attribute) int {
	i := table.Find(names, a.Key)
	if i < 0 && !a.Chosen {
		i = table.Find(names, a.Name)
	}
	if s := keys.Snake(a.Key); i < 0 && s != "" {
		i = slices.IndexFunc(names, func(n string) bool { return keys.Snake(n) == s })
	}
	if i >= 0 {
		switch keys.Snake(names[i]) {
		case "key", "external_ids", "traits", "value":
			return -1
		}
	}
	return i
}

// Header returns the names of the columns of the first input, without blanks around them,
// so that an export can be made of a file of which nothing is known. Nothing stays open.
// The error is that of [Source.Read].
func (s *Source) Header(ctx context.Context) ([]string, error) {
	names, err := s.names(ctx)
	return names, source.Ended(ctx, err)
}

// Columns returns the names of the columns of the first input that was read, as far as they may be
// read, nil if none was.
func (s *Source) Columns() []string { return s.columns }

// Once reports whether there is no header to be looked at before: the source can be read only
// once, or its names come with its rows. See [Source.ReadChosen].
func (s *Source) Once() bool { return s.inputs.All[0].Once || s.traits != nil }
