package projects

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleapsync/internal/bucket"
	"gleapsync/internal/config"
)

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// of returns a configuration of a project, with more in front of its export.
func of(project, more string) string {
	return "project = \"" + project + "\"\n" + more + "\n[[audience]]\nname = \"VIP\"\nsource = \"vip.csv\"\n"
}

func load(t *testing.T, dir string) []*Project {
	t.Helper()
	all, err := Load(filepath.Join(dir, "*.toml"), config.Load)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestLoad: one that cannot be used stops no other.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a.toml", of("acme", "state.path = \"a.db\""))
	put(t, dir, "b.toml", "project = ")
	put(t, dir, "c.toml", of("corp", "state.path = \"c.db\"\nsync.schedule = \"hourly\""))
	put(t, dir, "d.toml", of("dune", "state.path = \"d.db\""))
	put(t, dir, "e.txt", "")
	var got []string
	for _, p := range load(t, dir) {
		if (p.Config == nil) != (p.Err != nil) {
			t.Errorf("%s: a configuration and an error", p.Path)
		}
		word := "ok"
		if p.Err != nil {
			word = "broken"
		}
		got = append(got, strings.TrimPrefix(p.Label(), dir+string(filepath.Separator))+" "+word)
	}
	if all, want := strings.Join(got, ", "), "acme ok, b.toml broken, corp broken, dune ok"; all != want {
		t.Errorf("%s, want %s", all, want)
	}
}

// TestShared: what two must not share is an error of both, which names both; a third goes on.
func TestShared(t *testing.T) {
	for key, text := range map[string][2]string{
		"log.path = \"s3:": {of("acme", "state.path = \"a.db\"\nlog.path = \"s3://b/x\""), of("bolt", "state.path = \"b.db\"\nlog.path = \"s3://b/x/\"")},
		"project":          {of("acme", "state.path = \"a.db\""), of("acme", "state.path = \"b.db\"")},
		"state.path":       {of("acme", "state.path = \"x.db\""), of("bolt", "state.path = \"./y/../x.db\"")},
		"log.path":         {of("acme", "state.path = \"a.db\"\nlog.path = \"log\""), of("bolt", "state.path = \"b.db\"\nlog.path = \"log\"")},
		"metrics.textfile": {of("acme", "state.path = \"a.db\"\nmetrics.textfile = \"m.prom\""), of("bolt", "state.path = \"b.db\"\nmetrics.textfile = \"m.prom\"")},
		"state.replica":    {of("acme", "state.path = \"a.db\"\nstate.replica = \"s3://b/x\""), of("bolt", "state.path = \"b.db\"\nstate.replica = \"s3://b/x/\"")},
	} {
		if strings.Contains(text[0], "s3:") && !bucket.Built {
			continue
		}
		dir := t.TempDir()
		put(t, dir, "a.toml", text[0])
		put(t, dir, "b.toml", text[1])
		put(t, dir, "c.toml", of("corp", "state.path = \"c.db\""))
		all := load(t, dir)
		for _, p := range all[:2] {
			if p.Err == nil || !strings.Contains(p.Err.Error(), "a.toml") || !strings.Contains(p.Err.Error(), "b.toml") || !strings.Contains(p.Err.Error(), key) {
				t.Errorf("%s: %s: %v", key, p.Path, p.Err)
			}
		}
		if all[2].Err != nil {
			t.Errorf("%s: %v", key, all[2].Err)
		}
	}
}

// TestSharedToken: with the token of another project the contacts of that one would be told.
func TestSharedToken(t *testing.T) {
	t.Setenv("TOKEN_A", "secret-token")
	t.Setenv("TOKEN_B", "secret-token")
	t.Setenv("TOKEN_C", "another-token")
	for where, shared := range map[string]bool{"": true, "gleap.base_url = \"http://127.0.0.1:1\"": false, "gleap.base_url = \"sandbox\"": false} {
		dir := t.TempDir()
		for _, name := range []string{"A", "B", "C"} {
			put(t, dir, name+".toml", of(name, "state.path = \""+name+".db\"\ngleap.api_token_env = \"TOKEN_"+name+"\"\n"+where))
		}
		all := load(t, dir)
		for _, p := range all[:2] {
			if (p.Err != nil) != shared || shared && (!strings.Contains(p.Err.Error(), "both have the same API token") || strings.Contains(p.Err.Error(), "secret-token")) {
				t.Errorf("%q: %s: %v", where, p.Path, p.Err)
			}
		}
		if all[2].Err != nil {
			t.Errorf("%q: %v", where, all[2].Err)
		}
	}
}

// TestSharedByLink: a link to a state file is the state file, and one to its folder too.
func TestSharedByLink(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "states"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("states", filepath.Join(dir, "link")); err != nil {
		t.Skip(err)
	}
	put(t, dir, "a.toml", of("acme", "state.path = \"states/x.db\""))
	put(t, dir, "b.toml", of("bolt", "state.path = \"link/x.db\""))
	if all := load(t, dir); all[0].Err == nil || all[1].Err == nil {
		t.Errorf("%v, %v", all[0].Err, all[1].Err)
	}
}

// TestIsPattern: a file that has a name like a pattern is that file.
func TestIsPattern(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a[1].toml", "")
	for name, want := range map[string]bool{"a[1].toml": false, "a*.toml": true, "a?.toml": true, "b[1].toml": true, "gleapsync.toml": false} {
		if got := IsPattern(filepath.Join(dir, name)); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if _, err := Load(filepath.Join(dir, "none*.toml"), config.Load); err == nil || !strings.Contains(err.Error(), "no configuration that") {
		t.Error(err)
	}
	if _, err := Load(filepath.Join(dir, "[*.toml"), config.Load); err == nil || !strings.Contains(err.Error(), "no pattern") {
		t.Error(err)
	}
}
