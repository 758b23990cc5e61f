package engage

import (
	"fmt"
	"testing"
)

func TestTakeColumns(t *testing.T) {
	e := Export{
		UserID:     "uid",
		Fields:     []string{"email"},
		Attributes: []Attribute{{Kind: Trait, Key: "vip_level", Column: "vip_level"}},
		Wildcards:  []Wildcard{{Audience, "vip_*", ""}, {Trait, "*_180_days", Number}, {Trait, "Total*", Auto}},
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
