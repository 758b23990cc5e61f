package engage

import "testing"

func TestOfName(t *testing.T) {
	said := map[string]int{"Total Orders": 1, "total_orders": 2, "VIP": 3, "🔥": 4}
	for name, want := range map[string]struct {
		value int
		as    string
	}{
		"Total Orders": {1, "Total Orders"}, "total_orders": {2, "total_orders"}, "TotalOrders": {1, "Total Orders"},
		"vip": {3, "VIP"}, "🔥": {4, "🔥"}, "💧": {0, ""}, "orders": {0, ""}, "": {0, ""},
	} {
		if value, as := OfName(said, name); value != want.value || as != want.as {
			t.Errorf("%q: %d of %q, want %v", name, value, as, want)
		}
	}
	if _, as := OfName[int](nil, "vip"); as != "" {
		t.Errorf("nothing says something of %q", as)
	}
}
