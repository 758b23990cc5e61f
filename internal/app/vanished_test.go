package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleapsync/internal/inputs"
)

// TestStateVanishes: a process that saw a state, as serve does, takes its absence for no first
// run, also if the lock file is gone with it.
func TestStateVanishes(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("c.toml", "project = \"acme\"\n[gleap]\nbase_url = \"sandbox\"\n[[audience]]\nname = \"VIP\"\nsource = \"vip.csv\"\n")
	write("vip.csv", "user_id\nu1\n")
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	begin := func() *syncer {
		return newSyncer(newApp(flags{Config: filepath.Join(dir, "c.toml"), LogLevel: "error"}, "", out, out))
	}
	run := func(s *syncer) error {
		cfg, err := s.loadToServe()
		if err != nil {
			return err
		}
		_, _, err = s.sync(t.Context(), cfg, inputs.Request{}, nil)
		return err
	}
	first := begin()
	defer first.Close()
	for range 2 {
		if err := run(first); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"gleapsync.db", "gleapsync.db.lock"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := run(first); err == nil || !strings.Contains(err.Error(), "gleapsync.db is gone, and without it nobody knows who has to leave") {
			t.Errorf("the state is gone, and the next run says %v", err)
		}
	}
	another := begin() // nobody is left who knew it
	defer another.Close()
	if err := run(another); err != nil {
		t.Error(err)
	}
}
