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
