package engage

import (
	"fmt"
	"testing"

	"gleapsync/internal/values"
)

func TestTakeColumns(t *testing.T) {
	e := Export{
		UserID:     "uid",
		Fields:     []string{"email"},
		Attributes: []Attribute{{Kind: Trait, Key: "vip_level", Column: "vip_level"}},
		Wildcards:  []Wildcard{{Audience, "vip_*", ""}, {Trait, "*_180_days", values.Number}, {Trait, "Total*", values.Auto}},
		Exclude:    []string{"vip_old*"},
	}
	columns := []string{
		"uid", "user_id", "id", "received_at", "context_vip_180_days", "email",
		"vip_level", "vip_eu", "VIP_US", "vip_old_2020", "revenue_180_days", "vip_180_days", "Total Orders", "other",
	}
	got := ""
	for _, a := range e.TakeColumns(columns) {
		got += fmt.Sprintf("%s %s %s %s\n", a.Kind, a.Key, a.Column, a.Type)
	}
	want := `audience vip_eu vip_eu 
audience vip_us VIP_US 
trait revenue_180_days revenue_180_days number
audience vip_180_days vip_180_days 
trait total_orders Total Orders auto
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestMatches(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"vip", "VIP", true},
		{"VIP*", "VIPCustomers (EU)", true},
		{"vip_*eu", "VIPCustomers (EU)", true},
		{"vip_?", "vip_10", false},
		{"a*", "a/b", true},
		{"a/?", "a/b", true},
		{`r [30]\*`, `R [30]\d`, true},
		{"[ab]*", "a", false},
	} {
		if got := matches(test.pattern, test.name); got != test.want {
			t.Errorf("%s %s: got %t", test.pattern, test.name, got)
		}
	}
}

// TestTakeChosen: keys and types that were chosen, and keys that a state kept.
func TestTakeChosen(t *testing.T) {
	e := Export{
		Discover: true, Exclude: []string{"Score", "x_y", "VIP_OLD"},
		Wildcards: []Wildcard{{Trait, "total*", values.Auto}},
		Keys:      map[string]string{"total__orders": "orders", "vip": "very_important"},
		Types:     map[string]values.Type{"total__orders": values.Text, "level": values.Number},
		Kept:      map[Named]string{{Trait, "total__days"}: "total_days", {Trait, "total__orders"}: "total_orders", {Audience, "level"}: "x"},
	}
	for name, want := range map[string]string{
		"total__orders": "orders string true", "total__days": "total_days auto false", "total__x": "total__x auto false",
		"vip": "very_important auto true", "level": "level number false",
		"score": "score auto false", "Score": "", "SCORE": "score auto false", "x__y": "x__y auto false", "x_y": "", "X-Y": "", "vip_old": "",
	} {
		a, ok := e.TakeComputation(name, Trait)
		got := ""
		if ok {
			got = fmt.Sprint(a.Key, " ", a.Type, " ", a.Chosen)
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
