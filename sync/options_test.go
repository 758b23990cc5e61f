package sync

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
)

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

func TestTempDirIsNotThere(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.options.TempDir = filepath.Join(w.dir, "no", "such", "folder")
	w.options.Memory = 1
	var ids []string
	for i := range 100_000 {
		ids = append(ids, fmt.Sprint(i))
	}
	w.write(t, "a.csv", list(ids...))
	if _, err := w.runner(t).Plan(t.Context(), Request{}); err == nil || !bytes.Contains([]byte(err.Error()), []byte("sync.temp_dir")) {
		t.Errorf("got %v", err)
	}
}
