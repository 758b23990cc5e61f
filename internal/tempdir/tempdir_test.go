package tempdir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestRemoveLeft: what a process left that was killed goes, and nothing else: not what another one
// is using, nor what is not a folder of this package.
func TestRemoveLeft(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "a[b]*c")
	if err := os.Mkdir(parent, 0o700); err != nil {
		t.Fatal(err)
	}
	used, err := New(parent, "x-")
	if err != nil {
		t.Fatal(err)
	}
	left, err := New(parent, "x-")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{used.Join("file"), left.Join("file"), filepath.Join(parent, "x-file"), filepath.Join(parent, "lock")} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"x-foreign", "y-1"} {
		if err := os.Mkdir(filepath.Join(parent, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(parent, "y-1", lockName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := left.lock.Close(); err != nil { // as the end of its process does
		t.Fatal(err)
	}
	next, err := New(parent, "x-")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"lock", "x-file", "x-foreign", "y-1", filepath.Base(used.path), filepath.Base(next.path)}
	slices.Sort(want)
	if got := names(t, parent); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if _, err := os.Stat(used.Join("file")); err != nil {
		t.Error(err)
	}
	used.Remove()
	next.Remove()
	if got := names(t, parent); !slices.Equal(got, []string{"lock", "x-file", "x-foreign", "y-1"}) {
		t.Error(got)
	}
	if _, err := New(filepath.Join(parent, "nowhere"), "x-"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func names(t *testing.T, dir string) (all []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}
