package damping

import (
	"testing"
	"time"

	"gleapsync/internal/attr"
	"gleapsync/state"
)

func TestDamps(t *testing.T) {
	number := func(s string) attr.Value { return attr.OfNumber([]byte(s)) }
	text := func(s string) attr.Value { return attr.OfString([]byte(s)) }
	at := time.Unix(1_800_000_000, 0)
	day := Rule{MinInterval: 24 * time.Hour}
	percent, amount := Rule{Tolerance: Tolerance{Share: 0.01}}, Rule{Tolerance: Tolerance{Amount: 5}}
	for _, test := range []struct {
		name      string
		d         Rule
		has, want attr.Value
		after     time.Duration
		damps     bool
		due       time.Duration
	}{
		{"nothing set", Rule{}, number("1"), number("2"), 0, false, 0},
		{"too soon", day, text("a"), text("b"), time.Hour, true, 24 * time.Hour},
		{"in time", day, text("a"), text("b"), 24 * time.Hour, false, 0},
		{"a clear", day, text("a"), attr.OfNull(), time.Hour, false, 0},
		{"a new value", day, attr.OfNull(), text("a"), time.Hour, false, 0},
		{"less than a share", percent, number("-1000"), number("-1009.5"), time.Hour, true, 0},
		{"a share", percent, number("1000"), number("1010"), time.Hour, false, 0},
		{"of nothing", percent, number("0"), number("0.001"), time.Hour, false, 0},
		{"less than an amount", amount, number("1"), number("-3.9"), time.Hour, true, 0},
		{"an amount", amount, number("1"), number("6"), time.Hour, false, 0},
		{"of no numbers", amount, text("1"), number("2"), time.Hour, false, 0},
	} {
		damps, due := test.d.Damps(state.Known{At: at.Unix(), Value: test.has}, test.want, at.Add(test.after))
		if damps != test.damps || due.IsZero() != (test.due == 0) || test.due != 0 && !due.Equal(at.Add(test.due)) {
			t.Errorf("%s: %t, %s", test.name, damps, due)
		}
	}
}

// TestWhy: what waits says for what, and until when.
func TestWhy(t *testing.T) {
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	number := func(text string) attr.Value { return attr.Of(attr.Number, []byte(text)) }
	day, much, share := Rule{MinInterval: 24 * time.Hour}, Rule{Tolerance: Tolerance{Amount: 5}}, Rule{Tolerance: Tolerance{Share: 0.01}}
	for _, test := range []struct {
		rule       Rule
		has, wants string
		want       string
	}{
		{day, "1", "2", "until 2026-12-01 23:00 UTC (min_interval = 24h)"},
		{Rule{MinInterval: 90 * time.Minute}, "1", "2", "until 2026-12-01 00:30 UTC (min_interval = 1h30m)"},
		{Rule{MinInterval: time.Minute}, "1", "2", ""},
		{much, "1", "3", "2 is less than tolerance = 5"},
		{much, "1", "9", ""},
		{share, "1000", "1000.5", "0.5 is less than tolerance = 1%"},
		{Rule{}, "1", "2", ""},
	} {
		has := state.Known{At: now.Add(-time.Hour).Unix(), Value: number(test.has)}
		if got := test.rule.Why(has, number(test.wants), now); got != test.want {
			t.Errorf("%s to %s: %q, want %q", test.has, test.wants, got, test.want)
		}
	}
}
