package console

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/deliveries"
	"gleapsync/internal/runs"
)

// TestLeftOver: a report says what is left of each class, and only of those of which something
// is, and that more comes than fits; a plan says the latter too.
func TestLeftOver(t *testing.T) {
	r := runs.Report{
		Command: "sync", Outcome: runs.Partial, Contacts: runs.ContactCounts{Planned: 2001, Delta: 1990, Backfill: 11, Sent: 600, Remaining: 1401},
		Classes: []runs.ClassReport{
			{Class: runs.ClassExit, Planned: 3}, {Class: runs.ClassEntry}, {Class: runs.ClassChange, Planned: 1987, Left: 1390, Since: "run-1"},
			{Class: runs.ClassFirst, Planned: 11, Left: 11},
		},
		Exports:     []runs.ExportReport{{Key: "score", Kind: engage.Trait, Damped: 7}},
		Convergence: "does not converge: score alone costs 81 % of the calls",
	}
	var text, plan strings.Builder
	Sync(Out{Writer: &text, Zone: time.UTC}, r, Shown{})
	Plan(Out{Writer: &plan, Zone: time.UTC}, r, Shown{}, 0, 0)
	const sentence = "The sync does not converge: score alone costs 81 % of the calls."
	const damped = "Damped: 7 changes of score make no call of their own"
	for _, want := range []string{
		"1,990 with changes, 11 with first deliveries only", "\n  change: 1,390 of 1,987 left, some in each run since run-1.\n  first: 11 of 11 left.\n", sentence, damped,
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if strings.Contains(text.String(), "exit:") || !strings.Contains(plan.String(), sentence) || !strings.Contains(plan.String(), damped) {
		t.Errorf("%s\n%s", text.String(), plan.String())
	}
}

// TestDeliveryOnTerminal: a line for a call says as much as there is room for, and how much more
// there is; in a pipe it says all.
func TestDeliveryOnTerminal(t *testing.T) {
	d := deliveries.Delivery{At: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), UserID: "u1", Set: map[string]json.RawMessage{}, Was: map[string]json.RawMessage{}}
	for n := range 12 {
		d.Set[fmt.Sprintf("attribute_%02d", n)] = json.RawMessage("true")
	}
	for width, want := range map[int]string{0: "attribute_11 -> true", 80: "attribute_00 -> true, and 11 more", 110: "attribute_01 -> true, and 10 more", 40: "attribute_00 -> true, and 11 more"} {
		var out strings.Builder
		if err := Delivery(Out{Writer: &out, Zone: time.UTC, Width: width}, d); err != nil {
			t.Fatal(err)
		}
		if line := strings.TrimSuffix(out.String(), "\n"); !strings.HasSuffix(line, want) || width > 60 && len(line) > width {
			t.Errorf("%d characters: %q", width, line)
		}
	}
}
