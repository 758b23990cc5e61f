package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleapsync/internal/config"
	"gleapsync/internal/runs"
	"gleapsync/state"
	"gleapsync/sync"
)

// TestReserved: a key that only earlier versions took is an error for every command that
// would tell Gleap, or show what it would be told, unless it was delivered: then it goes on
// with a note. What patterns take is the same.
func TestReserved(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := write("c.toml", "project = \"acme\"\n[gleap]\nbase_url = \"sandbox\"\n[[trait]]\nname = \"Tags\"\nsource = \"tags.csv\"\n[[table]]\nsource = \"t.csv\"\naudiences = [\"memor*\"]\n")
	write("tags.csv", "user_id,value\nu1,a\n")
	write("t.csv", "user_id,memory,memorable\nu1,1,1\n")
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	a := newApp(flags{Config: path, LogLevel: "error"}, "", out, out)
	defer a.Close()
	all := map[string]func() (runs.Report, error){
		"plan":     func() (runs.Report, error) { return new(planCmd).run(t.Context(), a) },
		"sync":     func() (runs.Report, error) { return new(syncCmd).run(t.Context(), a) },
		"baseline": func() (runs.Report, error) { return new(baselineCmd).run(t.Context(), a) },
		"check":    func() (runs.Report, error) { return new(checkCmd).run(t.Context(), a) },
		"serve":    func() (runs.Report, error) { _, err := newSyncer(a).loadToServe(); return runs.Report{}, err },
	}
	for command, run := range all {
		if _, err := run(); err == nil || command != "check" && !strings.Contains(err.Error(), `c.toml:4: trait[0]: trait "Tags": "tags" is a field that Gleap contacts already have: choose another one`) {
			t.Errorf("%s: %v", command, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "gleapsync.db")); !os.IsNotExist(err) {
		t.Errorf("there is a state: %v", err)
	}

	// As an earlier version delivered it.
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	store, err := state.Open(cfg.State)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sync.New(cfg.Sync, store, nil, slog.New(slog.DiscardHandler), nil).Baseline(t.Context(), sync.Request{}); err != nil {
		t.Fatal(err)
	}
	for command, run := range all {
		report, err := run()
		if command == "serve" {
			if err != nil {
				t.Errorf("serve: %v", err)
			}
			continue
		}
		statuses := ""
		for _, e := range report.Exports {
			statuses += e.Key + " " + string(e.Status) + ", "
		}
		if err != nil || len(report.Notes) != 1 || !strings.HasPrefix(report.Notes[0], `"tags" is a field that Gleap contacts already have: it goes on since it was delivered before`) ||
			!strings.HasPrefix(statuses, "tags ") || strings.HasPrefix(statuses, "tags held") || !strings.Contains(statuses, "memory held") {
			t.Errorf("%s: %s, %v, %v", command, statuses, report.Notes, err)
		}
	}
}
