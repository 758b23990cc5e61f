package inputs

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gleapsync/engage"
	"gleapsync/internal/guard"
)

// TestChooses: a key stands for itself alone, however alike another is; a pattern for the
// keys that it matches, and not for names.
func TestChooses(t *testing.T) {
	keys := []string{"vip", "vip_eu", "vip_us", "isVip", "total"}
	for only, want := range map[string]string{
		"":              "vip vip_eu vip_us isVip total",
		"vip":           "vip",
		"vip_eu":        "vip_eu",
		"vip__eu":       "",
		"is_vip":        "",
		"isvip":         "",
		"vip_??":        "vip_eu vip_us",
		"isv*":          "isVip",
		"*":             "vip vip_eu vip_us isVip total",
		"*_us total":    "vip_us total",
		"total* vip_eu": "vip_eu total",
	} {
		r := Request{Only: strings.Fields(only)}
		got := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !r.chooses(key) })
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %s, want %s", only, got, want)
		}
	}
}

// TestMaxExitsOf: a key's own limit comes before those of patterns, and of these the one
// that lets the most go.
func TestMaxExitsOf(t *testing.T) {
	limit := func(text string) guard.Limit {
		l, err := guard.ParseLimit(text)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	r := Request{MaxExits: map[string]guard.Limit{"vip": limit("1"), "v*": limit("50%"), "*": limit("20")}}
	for key, want := range map[string]string{"vip": "1", "vip_eu": "50%", "other": "20"} {
		if got, ok := r.MaxExitsOf(key, 100); !ok || got.String() != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	if got, _ := r.MaxExitsOf("vip_eu", 30); got.String() != "20" {
		t.Errorf("of 30: %s", got)
	}
	if _, ok := (Request{}).MaxExitsOf("vip", 100); ok {
		t.Error("a limit of nothing")
	}
}

func TestMayFeed(t *testing.T) {
	e := Export{Export: engage.Export{
		Attributes: []engage.Attribute{{Kind: engage.Audience, Key: "risk", Name: "Churn Risk", Chosen: true}},
		Wildcards:  []engage.Wildcard{{Kind: engage.Audience, Pattern: "vip*"}},
		Keys:       map[string]string{"VIP old": "former"},
	}}
	all := Export{Export: engage.Export{Discover: true}}
	named := Export{Export: engage.Export{Attributes: e.Attributes}}
	for key, want := range map[string]string{
		"risk": "true true true", "churn_risk": "false true false", "vip_eu": "true true false", "former": "true true false", "email": "false false false",
		"tags": "false true false", "r*": "true true true", "x*": "true true false", "x": "false true false",
	} {
		if got := fmt.Sprint(e.MayFeed(key), all.MayFeed(key), named.MayFeed(key)); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
}
