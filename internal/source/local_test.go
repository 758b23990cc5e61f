package source

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
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
		paths, _, err := Place{Dir: dir, Source: "part-*.csv"}.paths()
		if want := filepath.Join(dir, "part-1.csv"); err != nil || len(paths) != 1 || paths[0] != want {
			t.Errorf("in %q: got %q, %v, want %q", name, paths, err, want)
		}
		if ok, err := filepath.Match(EscapePattern(name), name); !ok || err != nil {
			t.Errorf("%q does not match %q: %v", EscapePattern(name), name, err)
		}
	}
}

func TestFind(t *testing.T) {
	dir := write(t, "day_2.csv", "user_id\nu2\n", "day_1.csv", "user_id\nu1\n", "other.txt", "")
	for _, test := range []struct {
		source string
		pick   Pick
		want   string
	}{
		{"day_*.csv", PickNewest, "[u1]"}, // by time of change, not by name
		{"day_*.csv", PickAll, "[u1 u2]"},
		{"day_2*", PickOne, "[u2]"},
		{filepath.Join(dir, "day_2.csv"), PickOne, "[u2]"},
		{"day_*.csv", PickOne, `day_*.csv matches 2 files: set pick to "newest", or to "all" if they are parts of one snapshot`},
		{"week_*.csv", PickAll, "no file matches week_*.csv"},
		{"week.csv", PickAll, "week.csv does not exist: export it again, and the next run takes it (or look at its path in the configuration)"},
		{"[.csv", PickAll, "[.csv is not a valid pattern"},
		{".", PickOne, ". matches 3 files: set pick to \"newest\", or to \"all\" if they are parts of one snapshot"},
	} {
		got, err := rows(Place{Source: test.source, Dir: dir, Pick: test.pick})
		text := fmt.Sprint(got)
		if err != nil {
			text = err.Error()
		}
		if text != test.want {
			t.Errorf("%s %s: got %s, want %s", test.source, test.pick, text, test.want)
		}
	}
}

// TestFolderWithBrackets: only the source is a pattern, not the folder it is in.
func TestFolderWithBrackets(t *testing.T) {
	dir := filepath.Join(write(t), "[2026] data*")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a_1.csv"), []byte("user_id\nu1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := rows(Place{Source: "a_*.csv", Dir: dir})
	if err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

// TestSameSizeAndTime: a file whose content changes while its size and time stay is another
// one, except for who keeps a list of files that are done, and for who knows no more of it
// than earlier versions did.
func TestSameSizeAndTime(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("nothing there tells them apart")
	}
	for name, rewrite := range map[string]func(path string) error{
		"in place":        func(path string) error { return os.WriteFile(path, []byte("user_id\nu2\n"), 0o600) },
		"by another file": func(path string) error { return os.Rename(filepath.Join(filepath.Dir(path), "y.csv"), path) },
		"not at all":      nil,
	} {
		dir := write(t, "x.csv", "user_id\nu1\n", "y.csv", "user_id\nu2\n")
		path := filepath.Join(dir, "x.csv")
		look := func() (string, string, string) {
			t.Helper()
			inputs, err := Place{Source: "x.csv", Dir: dir}.Find(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var now, former strings.Builder
			if !inputs.Identify(&now, &former) {
				t.Error("nothing identifies a file")
			}
			return now.String(), former.String(), inputs.All[0].Version
		}
		now, former, version := look()
		found, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if before := identity(path); rewrite != nil {
			err = rewrite(path)
			for first := true; err == nil && (first || identity(path) == before); first = false { // the clock of files is slow
				err = os.Chtimes(path, found.ModTime(), found.ModTime())
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		again, formerAgain, versionAgain := look()
		if (now == again) != (rewrite == nil) || former != formerAgain || version != versionAgain || now == former {
			t.Errorf("%s: %s and %s, %s and %s, %s and %s", name, now, again, former, formerAgain, version, versionAgain)
		}
	}
}

func TestChangedWhileRead(t *testing.T) {
	dir := write(t, "x.csv", "user_id\nu1\nu2\n")
	for name, change := range map[string]func(path string) error{
		"grows": func(path string) error { return os.WriteFile(path, []byte("user_id\nu1\nu2\nu3\n"), 0o600) },
		"replaced": func(path string) error {
			return os.Rename(filepath.Join(write(t, "y", "user_id\nu1\nu2\n"), "y"), path)
		},
		"deleted": os.Remove,
	} {
		path := filepath.Join(dir, "x.csv")
		if err := os.WriteFile(path, []byte("user_id\nu1\nu2\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		changed := false
		err := eachRow(t.Context(), Place{Source: "x.csv", Dir: dir}, func(string) error {
			if changed {
				return nil
			}
			changed = true
			return change(path)
		})
		if err == nil || err.Error() != "x.csv changed while it was read" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
