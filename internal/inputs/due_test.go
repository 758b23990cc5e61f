package inputs

import (
	"testing"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/damping"
	"gleapsync/state"
)

// TestDueFromTheFuture: what a clock that was wrong holds back is not held back until then.
func TestDueFromTheFuture(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	e := &Input{Export: Export{Export: engage.Export{Attributes: []engage.Attribute{{Kind: engage.Trait, Key: "t", Name: "t"}}}}}
	e.Damping = map[string]damping.Rule{"": {MinInterval: 24 * time.Hour}}
	for ahead, want := range map[time.Duration]bool{-time.Second: true, time.Hour: false, 24 * time.Hour: false, 48 * time.Hour: true} {
		a := &Attribute{Attribute: e.Attributes[0], Input: e, Applied: state.Applied{Due: now.Add(ahead)}}
		if a.isDue(now) != want {
			t.Errorf("due in %s: %t", ahead, !want)
		}
	}
}
