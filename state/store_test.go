package state

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"gleapsync/internal/attr"
	"gleapsync/internal/rounds"
)

func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(Options{Path: path, Project: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newStore returns a store whose file is sound when the test ends.
func newStore(t testing.TB) *Store {
	t.Helper()
	s := newDoomed(t)
	t.Cleanup(func() {
		if _, err := Verify(s); err != nil {
			t.Errorf("at the end the file is not sound: %v", err)
		}
	})
	return s
}

// newDoomed returns a store whose file the test is free to damage or to remove.
func newDoomed(t testing.TB) *Store {
	t.Helper()
	s := open(t, filepath.Join(t.TempDir(), "state.db"))
	if err := s.Begin([]Attribute{{ID: 0, Key: "vip", Kind: "audience", Name: "VIP"}, {ID: 1, Key: "orders", Kind: "trait", Name: "Orders"}}, 1, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

func commit(s *Store, acks []Acknowledgement, parked []Parked, pace []byte) error {
	_, err := s.Commit(Delivery{Acks: acks, Parked: parked, Pace: pace})
	return err
}

func ack(id string, attribute uint32, v attr.Value) Acknowledgement {
	return Acknowledgement{UserID: []byte(id), At: time.Unix(1_800_000_000, 0), Attributes: []Change{{attribute, v}}, Unpark: true, Epoch: 1}
}

// dump returns all records as "id attribute=value …".
func dump(t testing.TB, s *Store) []string {
	t.Helper()
	var lines []string
	records := s.Records()
	for records.Next() {
		var r Record
		if err := r.Decode(records.Record()); err != nil {
			t.Fatal(err)
		}
		line := string(records.UserID())
		for _, k := range r.Attributes {
			line += fmt.Sprintf(" %d=%s", k.ID, k.Value.AppendJSON(nil))
		}
		lines = append(lines, line)
	}
	if records.Err() != nil {
		t.Fatal(records.Err())
	}
	return lines
}

// TestModel does random work on a store and on a map, opening the file anew at
// random, and checks with bbolt after each step that the file is sound.
func TestModel(t *testing.T) {
	dir := t.TempDir()
	rounds.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, "state.db")
		os.Remove(path)
		s, err := Open(Options{Path: path, Project: "acme"})
		if err != nil {
			t.Fatal(err)
		}
		model := map[string]string{}
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			if err := s.Begin([]Attribute{{ID: 0, Key: "vip"}}, 1, nil); err != nil {
				t.Fatal(err)
			}
			var acks []Acknowledgement
			for _, id := range rapid.SliceOf(rapid.StringMatching(`[a-c]{1,3}`)).Draw(t, "ids") {
				v := attr.OfBool(rapid.Bool().Draw(t, "value"))
				acks = append(acks, ack(id, 0, v))
				model[id] = fmt.Sprintf("%s 0=%s", id, v.AppendJSON(nil))
			}
			if err := commit(s, acks, nil, nil); err != nil {
				t.Fatal(err)
			}
			if rapid.Bool().Draw(t, "reopen") {
				if s, err = Open(Options{Path: path, Project: "acme"}); err != nil {
					t.Fatal(err)
				}
			}
			checkFile(t, path)
		}
		var got []string
		records := s.Records()
		for records.Next() {
			var r Record
			if err := r.Decode(records.Record()); err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%s 0=%s", records.UserID(), r.Find(0).Value.AppendJSON(nil)))
		}
		want := slices.Sorted(maps.Values(model))
		if !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
		members := 0
		for _, line := range want {
			if strings.HasSuffix(line, "true") {
				members++
			}
		}
		if o, err := s.Overview(); err != nil || o.Attributes[0].Members != members {
			t.Fatalf("%d members, the file says %+v, %v", members, o.Attributes, err)
		}
	})
}

func checkFile(t interface{ Fatal(...any) }, path string) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			return err
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, path)
	if s.Exists() || s.Records().Next() {
		t.Error("there is something in no file")
	}
	if c, err := s.Contact("u1"); err != nil || c.Record.Acknowledged != 0 {
		t.Errorf("contact of no file: %+v, %v", c, err)
	}
	if o, err := s.Overview(); err != nil || o.Epoch != 1 {
		t.Errorf("overview of no file: %+v, %v", o, err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("looking created the file")
	}
	if _, err := Open(Options{Path: path, MustExist: true}); err == nil {
		t.Error("must_exist is not looked at")
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	whole := newStore(t)
	if err := commit(whole, []Acknowledgement{ack("u1", 0, attr.OfBool(true))}, nil, nil); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(whole.path)
	if err != nil {
		t.Fatal(err)
	}
	change := func(fn func(meta *bbolt.Bucket) error) func(path string) {
		return func(path string) {
			os.WriteFile(path, content, 0o600)
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := db.Update(func(tx *bbolt.Tx) error { return fn(tx.Bucket(bucketMeta)) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, test := range map[string]struct {
		make func(path string)
		want string
	}{
		"empty":     {func(path string) { os.WriteFile(path, nil, 0o600) }, "is empty: restore a backup"},
		"no bbolt":  {func(path string) { os.WriteFile(path, bytes.Repeat([]byte("text "), 5000), 0o600) }, "is not a state file of gleapsync or lost its start"},
		"truncated": {func(path string) { os.WriteFile(path, content[:3*os.Getpagesize()], 0o600) }, "bytes are there: restore a backup"},
		"project":   {change(func(m *bbolt.Bucket) error { return put(m, keyProject, []byte("other")) }), `belongs to the project "other", not to "acme"`},
		"version":   {change(func(m *bbolt.Bucket) error { return put(m, keyFormat, []byte{99}) }), "has format version 99, this gleapsync reads versions up to 4"},
		"no bucket": {change(func(m *bbolt.Bucket) error { return m.Tx().DeleteBucket(bucketRecords) }), `the bucket "records" is missing`},
		"not ours":  {change(func(m *bbolt.Bucket) error { return m.Tx().DeleteBucket(bucketMeta) }), "is a bbolt file, but not a state file of gleapsync"},
	} {
		path := filepath.Join(t.TempDir(), "state.db")
		test.make(path)
		before, _ := os.ReadFile(path)
		_, err := Open(Options{Path: path, Project: "acme"})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Errorf("%s: opening changed the file", name)
		}
	}
}

// TestTwoFirstRuns: a store that was opened before there was a file does not replace
// the one that another run made meanwhile.
func TestTwoFirstRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	late, early := open(t, path), open(t, path)
	if err := early.Begin([]Attribute{{ID: 0, Key: "vip"}}, 1, nil); err != nil {
		t.Fatal(err)
	}
	if err := commit(early, []Acknowledgement{ack("u1", 0, attr.OfBool(true))}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := late.Begin(nil, 1, nil); err == nil {
		t.Error("a second file was made")
	}
	release, err := late.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := late.Begin(nil, 1, nil); err != nil {
		t.Error(err)
	}
	if got := dump(t, late); len(got) != 1 {
		t.Errorf("records: %v", got)
	}
}

func TestLock(t *testing.T) {
	s := newStore(t)
	release, err := s.Lock()
	if err != nil {
		t.Fatal(err)
	}
	_, err = open(t, s.path).Lock()
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID != os.Getpid() || time.Since(locked.Since) > time.Minute {
		t.Errorf("a second lock: %v", err)
	}
	release()
	release, err = open(t, s.path).Lock()
	if err != nil {
		t.Fatal(err)
	}
	release()
}
