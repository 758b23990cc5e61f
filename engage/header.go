package engage

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
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
}

// otherForm is what a user can do about an export without user ids.
const otherForm = `download the audience again as "Unformatted" or "Formatted" CSV with the user_id identifier`

// newLayout finds what e wants in a header. It fails where no user id can be
// had; an attribute without a column is only missing.
func newLayout(names []string, e Export) (*layout, error) {
	l := &layout{
		profile:  find(names, "key"),
		external: find(names, "external_ids"),
		traits:   find(names, "traits"),
		missing:  make([]error, len(e.Attributes)),
	}
	if err := l.findUserIDs(names, e.UserID); err != nil {
		return nil, err
	}
	for i, a := range e.Attributes {
		source := cellSource{column: -1, name: a.Name}
		switch {
		case a.Column != "":
			source.name = a.Column
			switch places := Places(names, a.Column, e.columns()); len(places) {
			case 0:
			case 1:
				source.column = places[0]
			default:
				l.missing[i] = fmt.Errorf("the header has the columns %q and %q, and either may be %q: write the one that is meant as the header has it", names[places[0]], names[places[1]], a.Column)
			}
		case a.Kind == Audience:
			// A column of the audience's own name says who is in and who is not.
			source.column = findKey(names, a)
			source.member = source.column < 0
		default:
			source.column = find(names, "value")
			if source.column < 0 {
				source.column = findKey(names, a)
			}
		}
		if source.column < 0 && !source.member && l.missing[i] == nil {
			source.inJSON = l.traits >= 0
			if !source.inJSON {
				l.missing[i] = fmt.Errorf("the header has no column %q", cmp.Or(a.Column, "value"))
			}
		}
		l.cells = append(l.cells, source)
	}
	for _, field := range e.Fields {
		source := cellSource{column: find(names, field), name: field}
		source.inJSON = source.column < 0 && (l.traits >= 0 || l.external >= 0)
		l.cells = append(l.cells, source)
	}
	for i := range l.cells {
		if key := keyOf(l.cells[i].name); !slices.ContainsFunc(e.Attributes, func(a Attribute) bool { return a.Name == key }) {
			l.cells[i].key = key
		}
	}
	l.anyInJSON = slices.ContainsFunc(l.cells, func(c cellSource) bool { return c.inJSON })
	return l, nil
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

func (l *layout) findUserIDs(names []string, setting string) error {
	if setting != "" {
		i := find(names, setting)
		if i < 0 {
			return fmt.Errorf("the header has no column %q, which user_id names", setting)
		}
		l.userIDs, l.named = []int{i}, true
		return nil
	}
	if i := find(names, "user_id"); i >= 0 { // or userId, or USER_ID
		l.userIDs = append(l.userIDs, i)
	}
	for n := 1; ; n++ { // a profile's further ids
		i := find(names, "user_id_"+strconv.Itoa(n))
		if i < 0 {
			break
		}
		l.userIDs = append(l.userIDs, i)
	}
	switch {
	case len(l.userIDs) > 0 || l.external >= 0:
		return nil
	case len(names) == 1:
		return errors.New("a single-column export holds no user id: " + otherForm)
	}
	return errors.New("the header has no column user_id, userId or external_ids: name the user id's column with user_id, or " + otherForm)
}

// find returns the index of a column: the one of exactly that name, else the first that
// [isSame].
func find(names []string, name string) int {
	if i := slices.Index(names, name); i >= 0 {
		return i
	}
	return slices.IndexFunc(names, func(n string) bool { return isSame(n, name) })
}

// findKey finds the column that an attribute's own name gives it, but none of Segment's own.
// It is one also if underscores make the difference: without it everybody would be in.
func findKey(names []string, a Attribute) int {
	i := find(names, a.Key)
	if i < 0 && !a.Chosen {
		i = find(names, a.Name)
	}
	if s := snake(a.Key); i < 0 && s != "" {
		i = slices.IndexFunc(names, func(n string) bool { return snake(n) == s })
	}
	if i >= 0 {
		switch snake(names[i]) {
		case "key", "external_ids", "traits", "value":
			return -1
		}
	}
	return i
}
