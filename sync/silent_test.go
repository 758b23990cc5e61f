package sync

import (
	"strings"
	"testing"

	"gleapsync/engage"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// TestSilentColumn: a column that says nothing any more of anybody is held for that, since nobody
// would leave by it. Where some say false, or are gone, they would leave.
func TestSilentColumn(t *testing.T) {
	table := inputs.Export{Export: engage.Export{Source: "t.csv", Attributes: []engage.Attribute{{Kind: engage.Audience, Key: "vip", Name: "vip", Column: "vip"}}}}
	const before = "user_id,vip\nu1,t\nu2,t\nu3,f\n"
	for name, test := range map[string]struct{ rows, want string }{
		"blank":     {"user_id,vip\nu1,\nu2,\nu3,\n", "the column says nothing of any of its members (blank or NULL), and there are 2: was it made anew?"},
		"one false": {"user_id,vip\nu1,\nu2,f\nu3,\n", "the export has no members, and there were 2"},
		"one gone":  {"user_id,vip\nu1,\nu3,\n", "the export has no members, and there were 2"},
	} {
		w := newWorld(t, table)
		w.write(t, "t.csv", before)
		w.sync(t, inputs.Request{})
		w.write(t, "t.csv", test.rows)
		report := w.sync(t, inputs.Request{})
		if e := report.Exports[0]; e.Status != runs.StatusHeld || !strings.Contains(e.Reason, test.want) || e.Acknowledged != 2 {
			t.Errorf("%s: %+v", name, e)
		}
		// It is its own reason that allow_empty lets nobody leave.
		w.options.Exports[0].AllowEmpty = true
		report = w.sync(t, inputs.Request{})
		if e := report.Exports[0]; name == "blank" && (e.Status != runs.StatusApplied || e.Exited != 0) {
			t.Errorf("%s: with allow_empty: %+v", name, e)
		}
	}
}

// TestKept: members of whom a row says nothing stay and are counted for that. A profile that has no
// row of the name any more has left, whatever its other rows are.
func TestKept(t *testing.T) {
	w := newProfilesWorld(t, longTables([]string{"vip"}, []string{"n"}))
	w.write(t, "i.csv", idsHeader+"p1,user_id,u1,1\np2,user_id,u2,1\np3,user_id,u3,1\n")
	w.write(t, "t.csv", traitsHeader+"p1,vip,true,1\np2,vip,true,1\np3,vip,true,1\n")
	w.sync(t, inputs.Request{})
	w.write(t, "t.csv", traitsHeader+"p1,vip,true,1\np2,vip,,2\np3,n,5,2\n")
	report := w.sync(t, inputs.Request{})
	if e := report.Exports[0]; e.Members != 1 || e.Kept != 1 || e.Exited != 1 {
		t.Errorf("%d members, %d kept, %d left, want one each", e.Members, e.Kept, e.Exited)
	}
}

// TestKeptUnanswered: who is to be told again is kept like everybody else.
func TestKeptUnanswered(t *testing.T) {
	w := newWorld(t, audience("a.csv", "other"), inputs.Export{Export: engage.Export{Source: "t.csv", Attributes: []engage.Attribute{{Kind: engage.Audience, Key: "vip", Name: "vip", Column: "vip"}}}})
	w.write(t, "a.csv", "user_id\nu1\n")
	w.write(t, "t.csv", "user_id,vip\nu1,t\nu2,t\n")
	w.sync(t, inputs.Request{})
	if _, err := state.Resend(w.runner(t).store, []string{"u1"}); err != nil {
		t.Fatal(err)
	}
	w.write(t, "t.csv", "user_id,vip\nu1,\nu2,t\n")
	if e := w.sync(t, inputs.Request{}).Exports[1]; e.Members != 1 || e.Kept != 1 {
		t.Errorf("%d members, %d kept, want one each", e.Members, e.Kept)
	}
}
