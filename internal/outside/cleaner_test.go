package outside

import (
	"strings"
	"testing"
)

// TestCleaner: what cannot be shown is taken out, what helps stays.
func TestCleaner(t *testing.T) {
	t.Setenv("OUR_TOKEN", "token-of-ours")
	clean := Cleaner("a secret", "", "abc")
	for text, want := range map[string]string{
		"it has a secret and token-of-ours": "it has *** and ***",
		"abc is too short to be hidden":     "abc is too short to be hidden",
		"postgres://ada:x@y@db:5432/x":      "postgres://***@db:5432/x",
		"write to Ada.L+x@mail.example.com": "write to ***",
		"write to jürgen@bücher.example":    "write to ***",
		"\xffa\x00b\r\n\tc ":                "�a b   c",
		"permission denied for table users": "permission denied for table users",
		"user@host is no address":           "user@host is no address",
		strings.Repeat("ü", 200):            strings.Repeat("ü", 150) + "…",
	} {
		if got := clean(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
