package source

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestBeside(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"in/a.csv", "in/b.csv", "in/vip_1.csv", "in/vip_2.csv", "in/.c.csv", "in/d.csv.gz", "in/e.json", "in/sub/f.csv", "parts/1.csv"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("user_id\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all := []string{"in/a.csv", "in/vip_*.csv", "parts", "s3://bucket/in/b.csv"}
	var places []Place
	for _, source := range all {
		places = append(places, Place{Source: source, Dir: dir})
	}
	for source, want := range map[string][]string{
		"in/a.csv":     {"in/b.csv"},
		"in/vip_*.csv": {"in/b.csv"},
		"in/vip*":      nil,
		"parts":        nil, // a folder is read as a whole
		"parts/1.csv":  nil,
		"-":            nil,
		"s3://b/a.csv": nil,
		"gone/a.csv":   nil,
	} {
		got := Place{Source: source, Dir: dir}.Beside(places)
		for i := range got {
			got[i] = filepath.ToSlash(got[i])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", source, got, want)
		}
	}
}
