package sync

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/inputs"
	"gleapsync/internal/values"
)

// tornTable is a table of users with several rows, of which those of u1 and u2 say different things.
var tornTable = []string{
	"u1,true,9,b@x.io", "u1,,10,", "u1,false,,a@x.io",
	"u2,false,,", "u2,,a,",
	"u2,true,b,", "u3,true,1,c@x.io", "u3,true,1,c@x.io", "u3,,,", "u4,false,2,",
}

func tornExport(source string) inputs.Export {
	return inputs.Export{Export: engage.Export{Source: source, Fields: []string{"email"}, Attributes: []engage.Attribute{
		{Kind: engage.Audience, Key: "vip", Name: "vip", Column: "vip"},
		{Kind: engage.Trait, Key: "plan", Name: "plan", Column: "plan", Type: values.Auto},
	}}}
}

// tornNote returns the note on users with several rows, "" if there is none.
func tornNote(notes []string) string {
	i := slices.IndexFunc(notes, func(note string) bool { return strings.Contains(note, "several rows") })
	if i < 0 {
		return ""
	}
	return notes[i]
}

// TestSeveralRows: of several rows of a file the last one counts, and the report counts the users
// whose rows say different things, once each.
func TestSeveralRows(t *testing.T) {
	w := newWorld(t, tornExport("t.csv"))
	w.options.Fields = []inputs.Field{{Field: gleap.Email, Columns: []string{"email"}}}
	w.write(t, "t.csv", "user_id,vip,plan,email\n"+strings.Join(tornTable, "\n")+"\n")
	report := w.sync(t, inputs.Request{})
	if note, want := tornNote(report.Notes), "2 users have several rows in t.csv that say different things: the last row counts"; note != want {
		t.Errorf("%q, want %q", note, want)
	}
	want := map[string]string{
		"u1": `{"email":"b@x.io","plan":"10"}`, "u2": `{"plan":"b","vip":true}`, "u3": `{"email":"c@x.io","plan":"1","vip":true}`, "u4": `{"plan":"2"}`,
	}
	if got := w.contacts(); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	w.write(t, "t.csv", "user_id,vip,plan,email\nu1,true,1,\nu1,true,1,\nu2,true,b,\nu2,false,b,\n")
	report = w.sync(t, inputs.Request{})
	if note, want := tornNote(report.Notes), "1 user has several rows in t.csv that say different things: the last row counts"; note != want {
		t.Errorf("%q, want %q", note, want)
	}
	w.write(t, "t.csv", "user_id,vip,plan,email\nu1,true,1,\nu1,true,1,\nu2,,b,\n")
	if report = w.sync(t, inputs.Request{}); tornNote(report.Notes) != "" {
		t.Errorf("%q", report.Notes)
	}
}
