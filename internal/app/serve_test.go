package app

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestSlots: a schedule is shown as it was written, whatever its zone.
func TestSlots(t *testing.T) {
	for schedule, want := range map[string]string{
		"0 */2 * * *": "0 */2 * * *", "CRON_TZ=Europe/Vienna 0 3 * * *": "0 3 * * *", "TZ=UTC @every 2h": "@every 2h", "@every 2h": "@every 2h",
	} {
		if got := slots(schedule); got != want {
			t.Errorf("%q: %q, want %q", schedule, got, want)
		}
	}
}

// TestAlone: only where no other project is synced at the same time is the process a run's own.
func TestAlone(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		text := fmt.Sprintf("project = %q\nstate.path = \"%s.db\"\ngleap.base_url = \"sandbox\"\n[[audience]]\nname = \"VIP\"\nsource = \"vip.csv\"\n", name, name)
		if err := os.WriteFile(filepath.Join(dir, name+".toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for parallel, want := range map[int]bool{1: true, 2: false} {
		a := newApp(flags{Config: filepath.Join(dir, "*.toml")}, "test", io.Discard, os.Stderr)
		if _, _, err := (&serveCmd{Parallel: parallel}).ofSeveral(a, nil); err != nil {
			t.Fatal(err)
		}
		all, err := a.projects()
		if err != nil || len(all) != 2 {
			t.Fatal(all, err)
		}
		for _, p := range all {
			if cfg, err := a.of(p).config(); err != nil || cfg.Sync.Alone != want {
				t.Errorf("%d at a time: %t, %v", parallel, cfg.Sync.Alone, err)
			}
		}
	}
}
