package state

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"gleapsync/internal/attr"
)

func version(t testing.TB, s *Store) (v byte) {
	t.Helper()
	if err := s.view(func(tx *bbolt.Tx) error { v = get(tx.Bucket(bucketMeta), keyFormat)[0]; return nil }); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestForgottenSurvives: who was forgotten stays so whatever is restored, though each state
// has a salt of its own.
func TestForgottenSurvives(t *testing.T) {
	first := newStore(t)
	if err := commit(first, []Acknowledgement{ack("u7", 0, attr.OfBool(true)), ack("u8", 0, attr.OfBool(true)), ack("u9", 0, attr.OfBool(true))}, nil, nil); err != nil {
		t.Fatal(err)
	}
	fields := ack("u9", 0, attr.OfBool(true))
	fields.Fields = []Field{{1, []byte("a@x.io")}}
	if err := commit(first, []Acknowledgement{fields}, nil, nil); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	backup, second := filepath.Join(folder, "backup.db"), filepath.Join(folder, "second.db")
	if err := Backup(first, backup); err != nil {
		t.Fatal(err)
	}
	os.Remove(first.path) // it is lost, and another one is begun
	s := open(t, first.path)
	release := s.mustLock(t)
	if err := s.Begin([]Attribute{{ID: 0, Key: "vip", Kind: "audience", Name: "VIP"}}, 1, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Forget([]string{"u7"}); err != nil {
		t.Fatal(err)
	}
	release()
	if err := Backup(s, second); err != nil {
		t.Fatal(err)
	}
	restore(t, s.path, backup)
	got := open(t, s.path)
	mustForget(t, got, "u7")
	if v := version(t, got); v != formatWithSalts {
		t.Errorf("the format version is %d", v)
	}
	if want := []string{"u8 0=true", "u9 0=true"}; !slices.Equal(dump(t, got), want) {
		t.Errorf("contacts %q", dump(t, got))
	}
	if c, err := got.Contact("u9"); err != nil || c.Record.Fields[0] != got.FieldHash(1, []byte("a@x.io")) {
		t.Errorf("contact fields would be sent again: %+v, %v", c, err)
	}
	if f, err := got.Forgotten(); err != nil || !slices.Equal(f.Owed, []string{"u7"}) {
		t.Errorf("to be deleted in Gleap: %q, %v", f.Owed, err)
	}
	// And so on, in the other direction too, and by way of a file that knew nothing of it.
	func() {
		defer got.mustLock(t)()
		if err := got.Forget([]string{"u8", "u7"}); err != nil {
			t.Fatal(err)
		}
	}()
	if v, err := Verify(got); err != nil || v.Forgotten != 2 || v.Deletions != 2 {
		t.Errorf("%+v, %v", v, err)
	}
	for _, from := range []string{second, backup, second} {
		restore(t, s.path, from)
		mustForget(t, open(t, s.path), "u7", "u8")
		if err := ScrubFormer(open(t, s.path)); err != nil {
			t.Error(err)
		}
		mustForget(t, open(t, s.path+FormerSuffix), "u7", "u8")
	}
}

func mustForget(t *testing.T, s *Store, userIDs ...string) {
	t.Helper()
	f, err := s.Forgotten()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range userIDs {
		if !f.Has([]byte(id)) {
			t.Errorf("%s is not forgotten in %s", id, s.path)
		}
	}
	if f.Has([]byte("u9")) {
		t.Error("u9 is forgotten")
	}
	if err := s.read(func(tx *bbolt.Tx) error {
		known, err := f.known(tx)
		if len(known) > 0 {
			t.Errorf("%s holds %q", s.path, known)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if _, err := Verify(s); err != nil {
		t.Error(err)
	}
}

// TestForgottenOfALostState: where the list cannot be read, or is not there, a restore says so,
// unless nobody can be missing from it.
func TestForgottenOfALostState(t *testing.T) {
	flip := func(t *testing.T, path string) { // bytes of the list
		text, _ := os.ReadFile(path)
		s := open(t, path)
		f, err := s.Forgotten()
		if err != nil {
			t.Fatal(err)
		}
		for hash := range f.hashes {
			for at := 0; ; at++ {
				n := bytes.Index(text[at:], hash[:])
				if n < 0 {
					break
				}
				at += n
				text[at] ^= 1
			}
			break
		}
		os.WriteFile(path, text, 0o600)
	}
	cut := func(t *testing.T, path string) { os.Truncate(path, 3*4096) }
	gone := func(t *testing.T, path string) { os.Remove(path) }
	noMark := func(t *testing.T, path string) { os.Remove(path); os.Remove(path + ".lock") }
	for name, test := range map[string]struct {
		before, after []string // forgotten before the backup, and since
		damage        func(t *testing.T, path string)
		refused       bool
	}{
		"nobody, cut":                {nil, nil, cut, false},
		"nobody, gone":               {nil, nil, gone, false},
		"one, cut":                   {nil, []string{"u7"}, cut, true},
		"one, gone":                  {nil, []string{"u7"}, gone, true},
		"one of two, flipped":        {nil, []string{"u7", "u8"}, flip, true},
		"in the backup, cut":         {[]string{"u7"}, nil, cut, false},
		"more than the backup, gone": {[]string{"u7"}, []string{"u8"}, gone, true},
		"nobody knows":               {nil, []string{"u7"}, noMark, false},
		"one, swapped":               {nil, []string{"u7"}, func(t *testing.T, path string) { copyFile(t, newStore(t).path, path) }, true},
	} {
		s := newStore(t)
		forget := func(ids []string) {
			defer s.mustLock(t)()
			if err := s.Forget(ids); err != nil {
				t.Fatal(err)
			}
		}
		forget(test.before)
		backup := filepath.Join(t.TempDir(), "backup.db")
		if err := Backup(s, backup); err != nil {
			t.Fatal(err)
		}
		forget(test.after)
		test.damage(t, s.path)
		r := Replace(Options{Path: s.path, Project: "acme"})
		release := r.mustLock(t)
		_, err := Restore(r, backup, false)
		if test.refused != (err != nil) || err != nil && !strings.Contains(err.Error(), "--without-forgotten") {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			if _, err := Restore(r, backup, true); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		release()
		f, err := open(t, s.path).Forgotten()
		if err != nil {
			t.Error(err)
		}
		if got := len(f.hashes); name == "one of two, flipped" && got != 1 || !test.refused && got != len(test.before) {
			t.Errorf("%s: %d are forgotten", name, got)
		}
	}
}

// TestNothingIsLeft: after a compaction no byte of the state, nor of the file that a restore
// kept, is a forgotten contact's.
func TestNothingIsLeft(t *testing.T) {
	s := newStore(t)
	if err := commit(s, []Acknowledgement{ack("somebody-known", 0, attr.OfBool(true))}, nil, nil); err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(t.TempDir(), "backup.db")
	if err := Backup(s, backup); err != nil {
		t.Fatal(err)
	}
	restore(t, s.path, backup)
	s = open(t, s.path)
	defer s.mustLock(t)()
	os.WriteFile(s.path+".new", []byte("somebody-known"), 0o600) // of a run that was killed
	if err := s.Forget([]string{"somebody-known"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(Delivery{Deleted: []string{"somebody-known"}}); err != nil {
		t.Fatal(err)
	}
	if o, err := s.Overview(); err != nil || !o.Erased || o.Deletions != 0 {
		t.Errorf("%+v, %v", o, err)
	}
	if _, _, err := Compact(s); err != nil {
		t.Fatal(err)
	}
	if err := ScrubFormer(s); err != nil {
		t.Fatal(err)
	}
	if o, err := s.Overview(); err != nil || o.Erased {
		t.Errorf("%+v, %v", o, err)
	}
	files, _ := filepath.Glob(s.path + "*")
	for _, file := range files {
		if text, _ := os.ReadFile(file); bytes.Contains(text, []byte("somebody-known")) {
			t.Errorf("%s holds it", file)
		}
	}
	if err := commit(s, []Acknowledgement{ack("u1", 0, attr.OfBool(true))}, nil, nil); err != nil {
		t.Error(err)
	}
	// What cannot be read is named.
	os.WriteFile(s.path+FormerSuffix, []byte("somebody-known"), 0o600)
	if err := ScrubFormer(s); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Error(err)
	}
}

// TestWhenForgotten: the proof that somebody was forgotten, and when, goes along with a backup
// that is restored.
func TestWhenForgotten(t *testing.T) {
	s := newStore(t)
	backup := filepath.Join(t.TempDir(), "backup.db")
	if err := Backup(s, backup); err != nil {
		t.Fatal(err)
	}
	before := time.Now().Add(-time.Second)
	release := s.mustLock(t)
	if err := s.Forget([]string{"u1"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Forget([]string{"u1", "u2"}); err != nil { // again is no news
		t.Fatal(err)
	}
	release()
	first, err := s.Forgotten()
	if err != nil {
		t.Fatal(err)
	}
	r := Replace(Options{Path: s.path, Project: "acme"})
	release = r.mustLock(t)
	if _, err := Restore(r, backup, false); err != nil {
		t.Fatal(err)
	}
	release()
	restored := open(t, s.path)
	f, err := restored.Forgotten()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"u1", "u2"} {
		want, _ := first.Find([]byte(id))
		if got, ok := f.Find([]byte(id)); !ok || got != want || got.At.Before(before) || got.At.After(time.Now()) || len(got.Hash) != 64 {
			t.Errorf("%s: got %+v, %t, want %+v", id, got, ok, want)
		}
	}
	if _, ok := f.Find([]byte("u3")); ok || len(f.All()) != 2 {
		t.Errorf("u3 is among %v", f.All())
	}
	if _, err := Verify(restored); err != nil {
		t.Error(err)
	}
}
