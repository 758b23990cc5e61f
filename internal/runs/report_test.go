package runs

import (
	"testing"

	"gleapsync/engage"
)

// TestKeptMembers: each audience is named with its own number, the first ones of many.
func TestKeptMembers(t *testing.T) {
	r := Report{}
	if got := r.KeptMembers(); got != "" {
		t.Errorf("of none: %q", got)
	}
	add := func(key string, kind engage.Kind, kept int) {
		r.Exports = append(r.Exports, ExportReport{Key: key, Kind: kind, Kept: kept})
	}
	add("vip_eu", engage.Audience, 148)
	add("plan", engage.Trait, 7)
	add("all", engage.Audience, 0)
	add("churn_risk", engage.Audience, 2499)
	const begin = "members of whom a row says nothing now (blank or NULL) stay members: 148 of vip_eu, 2,499 of churn_risk"
	if got := r.KeptMembers(); got != begin {
		t.Errorf("got %q\nwant %q", got, begin)
	}
	for _, key := range []string{"a", "b", "c"} {
		add(key, engage.Audience, 1)
	}
	if got, want := r.KeptMembers(), begin+", 1 of a and 2 more"; got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
