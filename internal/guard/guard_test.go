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
		"none left":      {10, 10, true, "run gleapsync sync --max-exits vip=10 once, or set allow_empty"},
		"none said":      {10, 0, true, "10: if that is right, set allow_empty"},
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

// TestSilent: the number is written as people read it.
func TestSilent(t *testing.T) {
	if got := Silent(2499); !strings.Contains(got, "says nothing of any of its members (blank or NULL), and there are 2,499: ") {
		t.Errorf("got %q", got)
	}
}

// TestShrunk: only a loss of more than a tenth of the rows is worth a word, and of more than a few.
func TestShrunk(t *testing.T) {
	for name, test := range map[string]struct {
		before, rows, minExits int
		want                   bool
	}{
		"never read":  {0, 10, 50, false},
		"grown":       {100, 200, 50, false},
		"a tenth":     {1000, 900, 50, false},
		"more":        {1000, 899, 50, true},
		"few":         {60, 20, 50, false},
		"no least":    {10, 8, 0, true},
		"the same, 0": {10, 10, 0, false},
		"nothing":     {1000, 0, 50, true},
	} {
		if got := Shrunk("t.csv", test.before, test.rows, test.minExits); (got != "") != test.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
