package engage

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gleapsync/internal/jsonscan"
	"gleapsync/internal/keys"
	"gleapsync/internal/table"
)

// memberRules are what lines of JSON must not have: members often come late, and absence says
// something.
type memberRules struct {
	ids       []int    // the columns that may hold a user id
	idNames   []string // and what they are called
	audiences []string // keys, in snake case, of audiences of which the first lines say no more than who is there
}

// askLines has lines of JSON give what e names, whether the first ones have it or not.
func askLines(t *table.NDJSON, e Export) {
	traits, external := table.Find(t.Columns(), "traits") >= 0, table.Find(t.Columns(), "external_ids") >= 0
	rules := &memberRules{}
	t.Want(e.UserID, false, nil)
	for _, a := range e.Attributes {
		if a.Column == "" && a.Kind == Audience && findKey(t.Columns(), a) < 0 {
			rules.audiences = append(rules.audiences, keys.Snake(a.Key))
		}
		t.Want(a.Column, traits, e.columns())
	}
	for _, name := range e.Fields {
		t.Want(name, traits || external, nil)
	}
	l, _ := newLayout(t.Columns(), Export{UserID: e.UserID}) // of what has no user id nothing is read
	if l != nil {
		rules.ids, rules.idNames = l.userIDs, []string{strings.Split(e.UserID, ".")[0]}
		if !l.named {
			rules.idNames = []string{"user_id", "external_ids"}
			if l.external >= 0 {
				rules.ids = append(rules.ids, l.external)
			}
		}
	}
	t.Check(rules)
}

// CheckNew refuses a column of an audience that comes too late to be one.
func (r *memberRules) CheckNew(name string) error {
	if !slices.Contains(r.audiences, keys.Snake(name)) {
		return nil
	}
	return fmt.Errorf("has a member %q and the lines at the start have none, so nobody can tell who is in: take it as a column of a [[table]]", name)
}

// CheckLine refuses a line that has no user id, except for one under a name that is almost the
// right one. It is that of somebody whom it would be wrong to miss.
func (r *memberRules) CheckLine(cells [][]byte, line []byte) (reason string) {
	if slices.ContainsFunc(r.ids, func(i int) bool { return cells[i] != nil }) {
		return ""
	}
	jsonscan.Object(line, func(name []byte, value json.RawMessage) {
		if string(value) != "null" && slices.ContainsFunc(r.idNames, func(want string) bool { return keys.Almost(string(name), want) }) {
			reason = "the line has no user id, and a member whose name is almost that of one: give it the name that it has in the other lines"
		}
	})
	return reason
}

// errNoNames is for JSON that can be read once only.
func errNoNames(name string) error {
	return fmt.Errorf("%s: patterns have to know all names before the first line, and JSON has no header: name the columns, or have it write CSV", name)
}
