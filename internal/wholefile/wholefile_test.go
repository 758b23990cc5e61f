package wholefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestNames: a file replaces another one, or is refused its name, and leaves nothing beside.
func TestNames(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.html")
	put := func(content string, name func(temporary, path string) error) error {
		temporary, err := Beside(path, []byte(content))
		if err != nil {
			t.Fatal(err)
		}
		defer os.Remove(temporary)
		return name(temporary, path)
	}
	for _, step := range []struct {
		content string
		name    func(temporary, path string) error
		err     error
		want    string
	}{
		{"first", Create, nil, "first"},
		{"second", Create, fs.ErrExist, "first"},
		{"third", Replace, nil, "third"},
	} {
		if err := put(step.content, step.name); !errors.Is(err, step.err) {
			t.Errorf("%s: %v, want %v", step.content, err, step.err)
		}
		if got, err := os.ReadFile(path); string(got) != step.want {
			t.Errorf("%s: the file holds %q, %v, want %q", step.content, got, err, step.want)
		}
	}
	var names []string
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if err != nil || !slices.Equal(names, []string{"report.html"}) {
		t.Errorf("the folder holds %v, %v", names, err)
	}
	if _, err := Beside(filepath.Join(dir, "none", "x"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}
