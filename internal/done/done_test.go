package done

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gleapsync/engage"
	"gleapsync/state"
)

// TestTake: a file that is done is not read again, unless it changed, which is an error; nor is
// one that another list has.
func TestTake(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.csv", "b.csv"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("user_id\nu1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open := func() *engage.Source {
		source, err := engage.Export{Source: "*.csv", Dir: dir, Pick: engage.PickAll}.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return source
	}
	names := func(files []engage.File) (all []string) {
		for _, f := range files {
			all = append(all, f.Name)
		}
		return all
	}
	mine := func(f state.DoneFile) bool { return f.Source == "mine" }

	source := open()
	all := names(source.Files())
	files, err := Take(nil, source, "mine", "s", mine)
	if err != nil || len(files) != 2 || !slices.Equal(names(source.Files()), all) {
		t.Fatalf("the first time: %v of %v are left, %v", names(source.Files()), files, err)
	}
	source = open()
	before := []state.DoneFile{files[0], {Source: "another's", Name: files[1].Name, Version: files[1].Version}}
	again, err := Take(before, source, "mine", "s", mine)
	if err != nil || !Same(again, files) || !slices.Equal(names(source.Files()), all[1:]) {
		t.Errorf("with one done: %v of %v are left, %v", names(source.Files()), again, err)
	}
	if err := os.Chtimes(filepath.Join(dir, "a.csv"), time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := Take(files, open(), "mine", "s", mine); err == nil || !strings.Contains(err.Error(), "a.csv") || strings.Contains(err.Error(), "b.csv") {
		t.Errorf("with one that changed: %v", err)
	}
}
