package guard

import "testing"

// TestEmpties: only a count lets the last members go, and one that has them all.
func TestEmpties(t *testing.T) {
	for text, want := range map[string]bool{"100%": false, "0": false, "9": false, "10": true, "11": true} {
		if l, err := ParseLimit(text); err != nil || l.Empties(10) != want {
			t.Errorf("%s: %v, %v", text, l.Empties(10), err)
		}
	}
	if l, _ := ParseLimit("5"); l.Empties(0) {
		t.Error("nobody would leave")
	}
}

func TestLimit(t *testing.T) {
	for _, test := range []struct {
		text  string
		whole int
		most  int // -1: no limit
	}{
		{"30%", 100, 30}, {"30%", 99, 29}, {"0%", 100, 0}, {"100%", 7, 7}, {"0.5%", 1000, 5}, {"10", 3, 10}, {"0", 3, 0}, {" 5 % ", 100, 5},
		{"", 0, -1}, {"%", 0, -1}, {"-1", 0, -1}, {"-1%", 0, -1}, {"101%", 0, -1}, {"NaN%", 0, -1}, {"1.5", 0, -1}, {"ten", 0, -1},
	} {
		l, err := ParseLimit(test.text)
		if err != nil != (test.most < 0) || err == nil && l.Of(test.whole) != test.most {
			t.Errorf("%q of %d: %d, %v", test.text, test.whole, l.Of(test.whole), err)
		}
	}
}
