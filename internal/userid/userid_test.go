package userid

import (
	"bytes"
	"testing"
)

// FuzzPrintable holds the look at eight bytes at a time against one at each.
func FuzzPrintable(f *testing.F) {
	for _, seed := range []string{"", "user-0001", " ~", "12345678\x7f", "\x1f2345678", "1234567\x80", "\xff\x7f345678", "\x00\x002345678ü"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, id []byte) {
		if got, want := isPrintable(id), !bytes.ContainsFunc(id, func(c rune) bool { return c < ' ' || c > '~' }); got != want {
			t.Errorf("%q: %t", id, got)
		}
	})
}
