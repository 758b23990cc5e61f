package guard

import "testing"

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
