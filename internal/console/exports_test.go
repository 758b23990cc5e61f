package console

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/runs"
	"gleapsync/internal/values"
)

// many is a report of 114 attributes: 99 of a table that is cut off, three others with something
// to see, and the rest as they were.
func many() runs.Report {
	r := runs.Report{Command: "sync", Outcome: runs.Held, Contacts: runs.ContactCounts{Planned: 9, Sent: 9}}
	for n := range 99 {
		r.Exports = append(r.Exports, runs.ExportReport{
			Key: fmt.Sprintf("table_%d", n), Kind: engage.Audience, Type: values.Boolean, Source: "t.csv", Status: runs.StatusHeld, Reason: "t.csv is cut off", Acknowledged: 100 + n})
	}
	for n := range 15 {
		r.Exports = append(r.Exports, runs.ExportReport{
			Key: fmt.Sprintf("audience_with_a_very_long_name_%d", n), Kind: engage.Audience, Type: values.Boolean, Source: fmt.Sprint(n), Status: runs.StatusUnchanged, Members: n})
	}
	entered, withheld, invalid := &r.Exports[99], &r.Exports[100], &r.Exports[101]
	entered.Status, entered.Entered, entered.Exited = runs.StatusApplied, 7, 1234
	withheld.Status, withheld.Withheld, withheld.Reason = runs.StatusApplied, 2, "2 exits withheld: a row cannot be read"
	invalid.Status, invalid.Invalid = runs.StatusApplied, 3
	return r
}

// TestShown: a terminal shows what changed and what is held, and fits; what is held for one cause
// is one row and one line. A pipe has it all, uncut, and nothing at all if nothing changed.
func TestShown(t *testing.T) {
	write := func(r runs.Report, width int, shown Shown) string {
		var b strings.Builder
		Sync(Out{Writer: &b, Zone: time.UTC, Width: width}, r, shown)
		return b.String()
	}
	still := runs.Report{Command: "sync", Outcome: runs.Complete, Exports: []runs.ExportReport{{Key: "vip", Kind: engage.Audience, Status: runs.StatusUnchanged, Members: 3}}}
	const upToDate = "Nothing to send: Gleap is up to date (0s).\n"
	for name, test := range map[string]struct {
		got   string
		rows  int // of the table
		has   []string
		hasNo []string
	}{
		"terminal": {write(many(), 80, Shown{}), 4, []string{
			"99 of t.csv ", "audience_with_a_very_long_name_0", "1,234", "2 withheld",
			"114 attributes: 1 changed (7 entered, 1,234 exited, 0 values), 99 held, 1 with exits withheld; --all shows every one.\n",
			"Held: 99 of t.csv (table_0, table_1, table_2 and 96 more): t.csv is cut off\n",
		}, []string{"NO ID", "table_7 "}},
		"terminal, all":   {write(many(), 80, Shown{All: true}), 114, []string{"audience", "ame_14 ", "\ntable_98 "}, []string{"--all"}},
		"terminal, held":  {write(many(), 200, Shown{Held: true, Sort: SortMembers}), 100, []string{"KEY                               KIND      TYPE     MEMBERS  ENTERED  EXITED  CHANGED  INVALID  NO ID  STATUS\ntable_98 "}, []string{"--all"}},
		"terminal, wide":  {write(many(), 200, Shown{Sort: SortChanged}), 4, []string{"STATUS\naudience_with_a_very_long_name_0 ", "NO ID"}, nil},
		"pipe":            {write(many(), 0, Shown{}), 114, []string{"audience_with_a_very_long_name_14", "\ntable_98 "}, []string{"…", "--all"}},
		"pipe, by key":    {write(many(), 0, Shown{Sort: SortKey}), 114, []string{"STATUS\naudience_with_a_very_long_name_0 "}, nil},
		"still, terminal": {write(still, 80, Shown{}), 0, []string{upToDate}, []string{"attribute"}},
		"still, pipe":     {write(still, 0, Shown{}), 0, []string{upToDate}, []string{"attribute"}},
		"still, all":      {write(still, 0, Shown{All: true}), 1, []string{"vip", "1 attribute: 0 changed, 0 held.\n", upToDate}, nil},
		"still, held":     {write(still, 0, Shown{Held: true}), 0, []string{"1 attribute: 0 changed, 0 held.\n", upToDate}, nil},
	} {
		table, _, found := strings.Cut(test.got, "\n\n")
		if n := strings.Count(table, "\n"); found && n != test.rows || !found && test.rows > 0 {
			t.Errorf("%s: %d rows, want %d:\n%s", name, n, test.rows, test.got)
		}
		for _, want := range test.has {
			if !strings.Contains(test.got, want) {
				t.Errorf("%s: no %q in\n%s", name, want, test.got)
			}
		}
		for _, no := range test.hasNo {
			if strings.Contains(test.got, no) {
				t.Errorf("%s: %q in\n%s", name, no, test.got)
			}
		}
		if strings.HasPrefix(name, "terminal") && strings.Contains(name, "all") || name == "terminal" {
			for line := range strings.Lines(table) {
				if n := len([]rune(strings.TrimSpace(line))); n > 80 {
					t.Errorf("%s: %d characters: %s", name, n, line)
				}
			}
		}
	}
	if got := write(still, 0, Shown{}); got != upToDate {
		t.Errorf("%q", got)
	}
	for _, parked := range []func(*runs.Report){
		func(r *runs.Report) { r.Contacts.Parked = 1 },
		func(r *runs.Report) { r.Events.Parked = 1 },
	} {
		r := still
		parked(&r)
		if got := write(r, 0, Shown{}); !strings.HasPrefix(got, "Nothing to send except what is parked (0s).\n1 ") {
			t.Errorf("%q", got)
		}
	}
}
