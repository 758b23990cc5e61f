package console

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"gleapsync/internal/inspect"
	"gleapsync/internal/runs"
)

// TestNoRoom: a list that leaves columns out says which, and one that has room for all says nothing.
func TestNoRoom(t *testing.T) {
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	run := runs.Summary{Run: "20261120T100000.000000Z-00ff", Command: "sync", Mode: runs.Incremental, Outcome: runs.Complete, Started: at, Finished: at.Add(time.Minute), Contacts: runs.ContactCounts{Planned: 1234, Sent: 1234}}
	attribute := inspect.Attribute{Key: "order_completed_last_30days", Name: "Order completed last 30days", Kind: "audience", Type: "boolean", Members: 1234, AsOf: at, Applied: at}
	for name, show := range map[string]func(Out){
		"runs":      func(w Out) { Runs(w, []runs.Summary{run}) },
		"audiences": func(w Out) { Attributes(w, []inspect.Attribute{attribute}) },
	} {
		for width, want := range map[int]int{80: 1, 400: 0, 0: 0} {
			var b bytes.Buffer
			show(Out{Writer: &b, Zone: time.UTC, Width: width})
			if strings.Count(b.String(), "No room for ") != want || want > 0 && !strings.Contains(b.String(), "--output json") {
				t.Errorf("%s, %d characters: %s", name, width, b.String())
			}
		}
	}
}
