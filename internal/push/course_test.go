package push

import (
	"maps"
	"testing"

	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// TestCourse: a run came to a contact if that and all before it have an answer.
func TestCourse(t *testing.T) {
	before := state.Turns{Classes: map[string]state.Turn{"change": {Last: "m", Since: "before"}}}
	c := newCourse(before, "now", planfile.Counts{{Contacts: 2}, {}, {Contacts: 3}, {Contacts: 1}})
	for _, id := range []string{"n", "o", "a"} {
		c.begin([]byte(id), runs.ClassChange)
	}
	c.begin([]byte("x"), runs.ClassExit)
	c.begin([]byte("y"), runs.ClassExit)
	last := func() string { return c.turns().Classes["change"].Last }
	c.end([]byte("o"))
	if last() != "m" {
		t.Errorf("came to %s behind one without an answer", last())
	}
	c.end([]byte("n"))
	if last() != "o" {
		t.Errorf("came to %s", last())
	}
	c.end([]byte("x"))
	c.end([]byte("y"))
	c.calls = 4
	c.commit([runs.Classes]int{2, 0, 2, 0})
	want := map[string]state.Turn{"change": {Last: "o", Since: "before"}, "first": {Since: "now"}}
	if got := c.turns(); !maps.Equal(got.Classes, want) || got.At != 4 || got.Calls != 4 {
		t.Errorf("%+v", got)
	}
	c.end([]byte("a"))
	if last() != "a" {
		t.Errorf("came to %s", last())
	}
}
