package guard

import (
	"strings"
	"testing"
)

// TestCheckMembers: an export that lost all its members is held, and one that lost more than its
// limit unless they are few.
func TestCheckMembers(t *testing.T) {
	half, err := ParseLimit("50%")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		before, exits int
		emptied       bool
		want          string // a part of the reason
	}{
		"none left":      {10, 0, true, "allow_empty"},
		"none, and none": {0, 0, true, ""},
		"half":           {100, 50, false, ""},
		"more":           {100, 51, false, "--max-exits vip=51"},
		"few":            {10, 9, false, ""},
	} {
		if got := CheckMembers("vip", test.before, test.exits, test.emptied, 10, half); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
