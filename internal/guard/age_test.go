package guard

import (
	"strings"
	"testing"
	"time"

	"gleapsync/state"
)

// TestCheckLoaded: a table that is not filled any more is found, and where nobody knows nothing is.
func TestCheckLoaded(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		newest time.Time
		maxAge time.Duration
		held   bool
	}{
		"fresh":    {now.Add(-time.Hour), 2 * time.Hour, false},
		"old":      {now.Add(-3 * time.Hour), 2 * time.Hour, true},
		"no limit": {now.Add(-3 * time.Hour), 0, false},
		"unknown":  {time.Time{}, time.Hour, false},
		"ahead":    {now.Add(time.Hour), time.Hour, false},
	} {
		if reason := CheckLoaded(test.newest, test.maxAge, now); test.held != (reason != "") {
			t.Errorf("%s: %q", name, reason)
		}
	}
}

// TestCheckAge: what a wrong clock or a wrong file left holds nothing for longer than it is
// wrong, and what was applied in good order holds what is older.
func TestCheckAge(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	future := now.AddDate(10, 0, 0)
	for name, test := range map[string]struct {
		asOf, applied, at time.Time
		held              bool
	}{
		"newer":                            {now.Add(-time.Hour), now.Add(-2 * time.Hour), now.Add(-2 * time.Hour), false},
		"the same":                         {now.Add(-time.Hour), now.Add(-time.Hour), now, false},
		"older":                            {now.Add(-3 * time.Hour), now.Add(-2 * time.Hour), now.Add(-time.Hour), true},
		"a file from the future before":    {now.Add(-time.Minute), future, now.Add(-time.Hour), false},
		"the same, and older than its run": {now.Add(-2 * time.Hour), future, now.Add(-time.Hour), true},
		"a clock from the future before":   {now.Add(-time.Minute), future, future, false},
		"a file from the future, of a cut off run": {now.Add(-time.Minute), future, time.Time{}, false},
		"never applied": {now.Add(-time.Minute), time.Time{}, time.Time{}, false},
	} {
		reason := CheckAge(test.asOf, state.Applied{AsOf: test.applied, At: test.at}, 0, now)
		if test.held != strings.Contains(reason, "export it anew, or") {
			t.Errorf("%s: %q", name, reason)
		}
	}
}

// TestAgeIsShown: two times that differ do not look the same.
func TestAgeIsShown(t *testing.T) {
	at := time.Date(2026, 5, 1, 12, 0, 0, 331e6, time.UTC)
	reason := CheckAge(at.Add(-5*time.Millisecond), state.Applied{AsOf: at}, 0, at)
	if !strings.HasPrefix(reason, "the export is of 2026-05-01T12:00:00.326Z, older than the one last applied (2026-05-01T12:00:00.331Z)") {
		t.Error(reason)
	}
	if reason := CheckAge(at.Add(-time.Minute), state.Applied{AsOf: at}, 0, at); !strings.HasPrefix(reason, "the export is of 2026-05-01T11:59:00Z,") {
		t.Error(reason)
	}
}
