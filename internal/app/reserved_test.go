package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleapsync/internal/config"
	"gleapsync/internal/inputs"
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
	var out bytes.Buffer
	a := newApp(flags{Config: path, LogLevel: "error", Output: "json"}, "", &out, os.Stderr)
	defer a.Close()
	all := map[string]func() error{
		"plan":     func() error { return new(planCmd).Run(t.Context(), a) },
		"sync":     func() error { return new(syncCmd).Run(t.Context(), a) },
		"baseline": func() error { return new(baselineCmd).Run(t.Context(), a) },
		"check":    func() error { return new(checkCmd).Run(t.Context(), a) },
		"serve":    func() error { _, err := newSyncer(a).loadToServe(); return err },
	}
	for command, run := range all {
		if err := run(); err == nil || command != "check" && !strings.Contains(err.Error(), `c.toml:4: trait[0]: trait "Tags": "tags" is a field that Gleap contacts already have: choose another one`) {
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
	if _, err := sync.New(cfg.Sync, store, nil, slog.New(slog.DiscardHandler), nil).Baseline(t.Context(), inputs.Request{}); err != nil {
		t.Fatal(err)
	}
	for command, run := range all {
		out.Reset()
		err := run()
		if command == "serve" {
			if err != nil {
				t.Errorf("serve: %v", err)
			}
			continue
		}
		var said struct {
			Exports []struct{ Key, Status string }
			Notes   []string
			Checks  []struct {
				Check, Detail string
				OK            bool
			}
		}
		if err := json.Unmarshal(out.Bytes(), &said); err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		statuses := ""
		for _, e := range said.Exports {
			statuses += e.Key + " " + e.Status + ", "
		}
		for _, c := range said.Checks {
			key, _, _ := strings.Cut(c.Detail, ": ")
			switch {
			case c.Check == "note":
				said.Notes = append(said.Notes, c.Detail)
			case c.Check == "trait" || c.Check == "audience":
				statuses += key + map[bool]string{true: " read, ", false: " held, "}[c.OK]
			}
		}
		if !errors.Is(err, ErrHeld) || len(said.Notes) != 1 || !strings.HasPrefix(said.Notes[0], `"tags" is a field that Gleap contacts already have: it goes on since it was delivered before`) ||
			!strings.HasPrefix(statuses, "tags ") || strings.HasPrefix(statuses, "tags held") || !strings.Contains(statuses, "memory held") {
			t.Errorf("%s: %s, %v, %v", command, statuses, said.Notes, err)
		}
	}
}
