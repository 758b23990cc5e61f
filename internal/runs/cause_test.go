package runs

import (
	"fmt"
	"strings"
	"testing"
)

// TestCauses: exports with one reason are one cause, whatever their source, and those of one
// source too whose reasons differ in keys and numbers only.
func TestCauses(t *testing.T) {
	held := func(key, source, reason string) ExportReport {
		return ExportReport{Key: key, Source: source, Reason: reason, Status: StatusHeld}
	}
	var exports []ExportReport
	for n := range 99 {
		key := fmt.Sprintf("column_%d", n)
		e := held(key, "t.csv", fmt.Sprintf("%d of 100 members would leave: run %s once", 50+n, AllowExits(key, 50+n)))
		e.Exited = 50 + n
		exports = append(exports, e)
	}
	exports = append(exports,
		held("a", "orders", "GRANT USAGE ON SCHEMA s TO r"), held("b", "users", "GRANT USAGE ON SCHEMA s TO r"),
		held("c", "c.csv", "c.csv does not exist"), held("d", "d.csv", "d.csv does not exist"),
		ExportReport{Key: "e", Source: "e.csv", Status: StatusApplied, Withheld: 2, Reason: "2 exits withheld: x"},
		ExportReport{Key: "f", Source: "e.csv", Status: StatusApplied, Withheld: 3, Reason: "3 exits withheld: x"},
		ExportReport{Key: "g", Source: "e.csv", Status: StatusApplied})
	want := []struct{ text, command string }{
		{"Held: 99 of t.csv (column_0, column_1, column_2 and 96 more): of column_0: 50 of 100 members would leave: run gleapsync sync --max-exits column_0=50 once; of the others alike", "gleapsync inspect runs last --held"},
		{"Held: 2 exports (a, b): GRANT USAGE ON SCHEMA s TO r", "gleapsync check"},
		{"Held: c: c.csv does not exist", "gleapsync check"},
		{"Held: d: d.csv does not exist", "gleapsync check"},
		{"Withheld: 2 of e.csv (e, f): of e: 2 exits withheld: x; of the others alike", "gleapsync check"},
	}
	for range 2 {
		exports = append(exports, ExportReport{Key: "changed", Source: "i.csv", Invalid: 3, Entered: 1}, ExportReport{Key: "still", Source: "i.csv", Invalid: 3})
	}
	var rows []string
	for _, c := range Alike(exports) {
		rows = append(rows, c.Number())
	}
	if got, want := strings.Join(rows, ", "), "99 of t.csv, 2 exports, 2 of e.csv, 2 of i.csv"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	got := Causes(exports)
	if len(got) != len(want) {
		t.Fatalf("%v", got)
	}
	for i, c := range got {
		if c.String() != want[i].text || c.Resolve() != want[i].command {
			t.Errorf("%s, %s\nwant %s, %s", c, c.Resolve(), want[i].text, want[i].command)
		}
	}
}

// TestManyMissing: many files that are not there are one cause, a few are each its own.
func TestManyMissing(t *testing.T) {
	for n, want := range map[int]string{
		3:  "Held: a0: a0.csv does not exist: export it again",
		4:  "Held: 4 exports (a0, a1, a2, a3): of a0: a0.csv does not exist: export it again; of the others alike",
		11: "Held: 11 exports (a0, a1, a2 and 8 more): of a0: a0.csv does not exist: export it again; of the others alike",
	} {
		all := []ExportReport{{Key: "cut", Source: "cut.csv", Status: StatusHeld, Reason: "cut.csv: it breaks off"}}
		for i := range n {
			key := fmt.Sprint("a", i)
			all = append(all, ExportReport{Key: key, Source: key + ".csv", Status: StatusHeld, Reason: key + ".csv does not exist: export it again"})
		}
		causes, lines := Causes(all), 1+n
		if n > 3 {
			lines = 2
		}
		if len(causes) != lines || causes[1].String() != want {
			t.Errorf("%d: %v", n, causes)
		}
	}
}
