package engage

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestEscapePattern: a pattern in a folder of any name finds the files there, and only those.
func TestEscapePattern(t *testing.T) {
	names := []string{"plain", "a[bc]", "a]b[", "{a,b}", "spa ce", "-"}
	if runtime.GOOS != "windows" {
		names = append(names, "a*", "a?", `back\slash`, `a\*`, `\`)
	}
	root := t.TempDir()
	for _, name := range append(names, "ab", "ac", "abc", "backslash") {
		dir := filepath.Join(root, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "part-1.csv"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		dir := filepath.Join(root, name)
		paths, _, err := Export{Dir: dir, Source: "part-*.csv"}.paths()
		if want := filepath.Join(dir, "part-1.csv"); err != nil || len(paths) != 1 || paths[0] != want {
			t.Errorf("in %q: got %q, %v, want %q", name, paths, err, want)
		}
		if ok, err := filepath.Match(EscapePattern(name), name); !ok || err != nil {
			t.Errorf("%q does not match %q: %v", EscapePattern(name), name, err)
		}
	}
}
