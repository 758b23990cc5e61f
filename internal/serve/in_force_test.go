package serve

import (
	"os"
	"path/filepath"
	"testing"
)

// A configuration that got another name is not served twice.
func TestInForceRenamed(t *testing.T) {
	f := newFolder(t, "acme", "beta")
	s, err := NewSeveral(f.options(1))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(f.dir, "p0.toml"), filepath.Join(f.dir, "new.toml")); err != nil {
		t.Fatal(err)
	}
	if err := s.find(); err != nil {
		t.Fatal(err)
	}
	served := map[string]int{}
	for _, m := range s.members() {
		if m.server != nil {
			served[m.name()]++
		}
	}
	if served["acme"] != 1 {
		t.Errorf("acme is served %d times", served["acme"])
	}
}

// A configuration in force counts, also while its file cannot be read.
func TestInForceBroken(t *testing.T) {
	f := newFolder(t, "acme", "beta")
	s, err := NewSeveral(f.options(1))
	if err != nil {
		t.Fatal(err)
	}
	f.put("p0.toml", "project = ") // somebody is at it
	f.configure("p2", "acme", "0 */2 * * *")
	if err := s.find(); err != nil {
		t.Fatal(err)
	}
	for _, m := range s.members() {
		if filepath.Base(m.path) == "p2.toml" && m.server != nil {
			t.Error("two configurations of acme are in force")
		}
	}
}
