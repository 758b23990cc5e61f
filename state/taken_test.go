package state

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gleapsync/internal/attr"
)

func (s *Store) mustLock(t testing.TB) (release func()) {
	t.Helper()
	release, err := s.Lock()
	if err != nil {
		t.Fatal(err)
	}
	return release
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestTakenAway: whatever becomes of the lock or of the file while a run holds them, nothing
// more is written, and Gleap is told nothing more.
func TestTakenAway(t *testing.T) {
	for name, take := range map[string]func(t *testing.T, path, older string){
		"lock removed": func(t *testing.T, path, _ string) { os.Remove(path + ".lock") },
		"lock replaced": func(t *testing.T, path, _ string) {
			os.Remove(path + ".lock")
			open(t, path).mustLock(t)
		},
		"state removed":            func(t *testing.T, path, _ string) { os.Remove(path) },
		"state replaced":           func(t *testing.T, path, older string) { os.Rename(older, path) },
		"state written over":       func(t *testing.T, path, older string) { copyFile(t, older, path) },
		"another state in its way": func(t *testing.T, path, _ string) { copyFile(t, newStore(t).path, path) },
	} {
		s := newDoomed(t)
		older := filepath.Join(t.TempDir(), "older.db")
		copyFile(t, s.path, older)
		release := s.mustLock(t)
		if err := commit(s, []Acknowledgement{ack("u1", 0, attr.OfBool(true))}, nil, nil); err != nil {
			t.Fatal(name, err)
		}
		if s.CheckLock() != nil {
			t.Error(name, "not held")
		}
		take(t, s.path, older)
		for range 2 {
			if err := commit(s, []Acknowledgement{ack("u2", 0, attr.OfBool(true))}, nil, nil); !errors.Is(err, ErrTakenAway) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if strings.HasPrefix(name, "lock") && !errors.Is(s.CheckLock(), ErrTakenAway) {
			t.Errorf("%s: it is still held", name)
		}
		release()
		if strings.HasPrefix(name, "state") || strings.HasPrefix(name, "another") {
			next, err := Open(Options{Path: s.path, Project: "acme"})
			if err == nil {
				_, err = next.Lock()
			}
			if err == nil || !strings.Contains(err.Error(), "restore") {
				t.Errorf("%s: the next run: %v", name, err)
			}
		}
	}
}

// TestNotAsItWasLeft: between runs the lock file knows the state, and so does a process.
func TestNotAsItWasLeft(t *testing.T) {
	for name, test := range map[string]struct {
		take   func(t *testing.T, path, older string)
		serves bool // a process knows the state
		want   string
	}{
		"gone":               {func(t *testing.T, path, _ string) { os.Remove(path) }, false, "is gone"},
		"gone with its lock": {func(t *testing.T, path, _ string) { os.Remove(path); os.Remove(path + ".lock") }, true, "is gone"},
		"older":              {func(t *testing.T, path, older string) { copyFile(t, older, path) }, false, "is older than the last run left it, by 1 commits"},
		"older, with its lock": {func(t *testing.T, path, older string) {
			copyFile(t, older, path)
			copyFile(t, older+".lock", path+".lock")
		}, true, "is older than"},
		"another":               {func(t *testing.T, path, _ string) { copyFile(t, newStore(t).path, path) }, false, "is not the one that the last run left"},
		"begun anew on purpose": {func(t *testing.T, path, _ string) { os.Remove(path); os.Remove(path + ".lock") }, false, ""},
		"an older lock file":    {func(t *testing.T, path, older string) { copyFile(t, older+".lock", path+".lock") }, false, ""},
		"of an earlier version": {func(t *testing.T, path, older string) {
			copyFile(t, older, path)
			os.WriteFile(path+".lock", []byte(`{"pid":7,"host":"x","since":"2026-01-01T00:00:00Z"}`), 0o600)
		}, false, ""},
		"as it was":              {func(*testing.T, string, string) {}, true, ""},
		"restored":               {func(t *testing.T, path, older string) { restore(t, path, older) }, true, ""},
		"restored as it is":      {func(t *testing.T, path, older string) { copyFile(t, older, path); restore(t, path, path) }, true, ""},
		"another, restored":      {func(t *testing.T, path, _ string) { restore(t, path, newStore(t).path) }, true, ""},
		"the one before restore": {func(t *testing.T, path, older string) { restore(t, path, older); copyFile(t, path+FormerSuffix, path) }, false, "is older than"},
	} {
		s := newDoomed(t)
		older := filepath.Join(t.TempDir(), "older.db")
		s.mustLock(t)()
		copyFile(t, s.path, older)
		copyFile(t, s.path+".lock", older+".lock")
		release := s.mustLock(t)
		if err := commit(s, []Acknowledgement{ack("u1", 0, attr.OfBool(true))}, nil, nil); err != nil {
			t.Fatal(name, err)
		}
		release()
		o := Options{Path: s.path, Project: "acme"}
		if test.serves {
			o.Known = s.Mark()
		}
		test.take(t, s.path, older)
		next, err := Open(o)
		if err == nil {
			release, err = next.Lock()
			if err == nil {
				release()
			}
		}
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func restore(t *testing.T, path, backup string) {
	t.Helper()
	s := Replace(Options{Path: path, Project: "acme"})
	defer s.mustLock(t)()
	if _, err := Restore(s, backup, false); err != nil {
		t.Fatal(err)
	}
}

// TestKilledHolder: the lock file is right after each commit, not only at a run's end.
func TestKilledHolder(t *testing.T) {
	s := newDoomed(t)
	s.mustLock(t) // and never released in good order
	older := filepath.Join(t.TempDir(), "older.db")
	copyFile(t, s.path, older)
	if err := s.Forget([]string{"u7"}); err != nil {
		t.Fatal(err)
	}
	if m := readLockFile(s.path + ".lock").State; m == nil || *m != *s.Mark() || m.Forgotten != 1 || time.Since(m.Created) > time.Hour {
		t.Errorf("the lock file has %+v", m)
	}
}
