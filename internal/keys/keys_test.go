package keys

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestKey(t *testing.T) {
	for name, want := range map[string]string{
		"Order completed last 30days":        "order_completed_last_30days",
		"First Time Shopper":                 "first_time_shopper",
		"VIPCustomers (EU)":                  "vip_customers_eu",
		"Don't email":                        "dont_email",
		"Don’t email":                        "dont_email",
		"high_value_customers":               "high_value_customers",
		"  spaced -- out  ":                  "spaced_out",
		"__init__":                           "__init__",
		"a__b":                               "a__b",
		"a_b":                                "a_b",
		"_x":                                 "_x",
		"x_":                                 "x_",
		"_1":                                 "1",
		"A__B":                               "a_b",
		"A-B":                                "a_b",
		" a__b":                              "a_b",
		"j_o_first_order__opened_mail_ab12c": "j_o_first_order__opened_mail_ab12c",
		"camelCaseName":                      "camel_case_name",
		"HTTPServer":                         "http_server",
		"already_snake_2":                    "already_snake_2",
		"30Days":                             "30_days",
		"last30days":                         "last30days",
		"v2Beta":                             "v2_beta",
		"ABC":                                "abc",
		"aB":                                 "a_b",
		"Crème Brûlée":                       "creme_brulee",
		"Ünïcode":                            "unicode",
		"e\u0301te\u0301":                    "ete",
		"Großkunden":                         "großkunden",
		"Клиенты Йод":                        "клиенты_йод",
		"顧客が好き":                              "顧客が好き",
		"ग्राहक":                             "ग्राहक",
		"İstanbul":                           "istanbul",
		"50% off!":                           "50_off",
		"a.b$c":                              "a_b_c",
		"emoji 🔥 fire":                       "emoji_fire",
		"tab\there\nnew":                     "tab_here_new",
		"x\x00y":                             "x_y",
	} {
		got, err := Of(name)
		if err != nil || got != want {
			t.Errorf("Key(%q) = %q, %v, want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"", "   ", "🔥", "'", "---", "\u0301", "Email", "user ID", "Plan", "phone", "NAME", "userId"} {
		if key, err := Of(name); err == nil {
			t.Errorf("Key(%q) = %q, want an error", name, key)
		}
	}
}

// TestPlaces: names that differ in case, blanks and how words are joined are the same, and
// what is exactly a name goes before. Two keys are two names.
func TestPlaces(t *testing.T) {
	for _, test := range []struct {
		names  []string
		name   string
		others []string
		want   string
	}{
		{[]string{"a_b", "a__b"}, "a__b", nil, "[1]"},
		{[]string{"a_b"}, "a__b", nil, "[]"},
		{[]string{"a__b"}, "A-B", nil, "[]"},
		{[]string{"A_B", "A__B"}, "a__b", nil, "[1]"},
		{[]string{"TOTAL_ORDERS"}, "Total Orders", nil, "[0]"},
		{[]string{"totalOrders", "total_orders"}, "total_orders", nil, "[1]"},
		{[]string{"totalOrders", "TOTAL ORDERS"}, "total_orders", nil, "[0 1]"},
		{[]string{"a_b"}, "A-B", []string{"a_b"}, "[]"},
		{[]string{"", "🔥"}, "💧", nil, "[]"},
	} {
		if got := fmt.Sprint(Places(test.names, test.name, test.others)); got != test.want {
			t.Errorf("%q in %q: %s, want %s", test.name, test.names, got, test.want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, key := range []string{"vip", "isVip", "vip-eu", "über_30"} {
		if err := Check(key); err != nil {
			t.Errorf("CheckKey(%q): %v", key, err)
		}
	}
	for _, key := range append([]string{"", "a b", "a.b", "$a", "a\n"}, reserved...) {
		if Check(key) == nil {
			t.Errorf("CheckKey(%q) accepts it", key)
		}
	}
}

// TestReserved: a field is refused however it is written, and what earlier versions took
// can be told from what they refused.
func TestReserved(t *testing.T) {
	for _, field := range slices.Concat(reserved, reservedToo) {
		for _, key := range []string{field, Snake(field), strings.ToLower(field), strings.ToUpper(field), "_" + Snake(field) + "_"} {
			err := Check(key)
			if err == nil || !strings.Contains(err.Error(), "is a field that Gleap contacts already have") {
				t.Errorf("%s: %v", key, err)
			}
			if took := errors.As(err, new(*ReservedError)); took == slices.Contains(reserved, key) {
				t.Errorf("%s: taken by earlier versions: %t", key, took)
			}
		}
		if err := Check(field + "_eu"); err != nil {
			t.Error(err)
		}
	}
	if err := Check("updated_at"); err.Error() != `"updated_at" is a field that Gleap contacts already have, as updatedAt` {
		t.Error(err)
	}
}

func FuzzKey(f *testing.F) {
	for _, name := range []string{"Order completed last 30days", "VIPCustomers (EU)", "e\u0301", "𝐀𝐀b", "ǅx", "ϴ", "İ", "x\u0345"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		key, err := Of(name)
		if err != nil {
			return
		}
		if key == "" || slices.Contains(reserved, key) {
			t.Fatalf("Key(%q) = %q", name, key)
		}
		if again, err := Of(key); again != key || err != nil {
			t.Fatalf("the key of %q is %q, and the key of that %q, %v", name, key, again, err)
		}
	})
}

func TestLookup(t *testing.T) {
	said := map[string]int{"Total Orders": 1, "total_orders": 2, "VIP": 3, "🔥": 4}
	for name, want := range map[string]struct {
		value int
		as    string
	}{
		"Total Orders": {1, "Total Orders"}, "total_orders": {2, "total_orders"}, "TotalOrders": {1, "Total Orders"},
		"vip": {3, "VIP"}, "🔥": {4, "🔥"}, "💧": {0, ""}, "orders": {0, ""}, "": {0, ""},
	} {
		if value, as := Lookup(said, name); value != want.value || as != want.as {
			t.Errorf("%q: %d of %q, want %v", name, value, as, want)
		}
	}
	if _, as := Lookup[int](nil, "vip"); as != "" {
		t.Errorf("nothing says something of %q", as)
	}
}
