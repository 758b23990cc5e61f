//go:build !nocloud

package replica

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gleapsync/internal/attr"
	"gleapsync/internal/bucket"
	"gleapsync/internal/s3test"
	"gleapsync/state"
)

// machine is a folder with a state, and what it takes to hold its replica.
type machine struct {
	t *testing.T
	Options
}

func newMachine(t *testing.T, address string) *machine {
	t.Helper()
	a, err := bucket.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return &machine{t, Options{
		Address: a, State: state.Options{Path: filepath.Join(t.TempDir(), "state.db"), Project: "acme"}, Command: "sync",
		Patience: time.Second,
	}}
}

func (m *machine) hold() *Held {
	m.t.Helper()
	h, err := Hold(m.t.Context(), m.Options)
	if err != nil {
		m.t.Fatal(err)
	}
	return h
}

// open opens the local state, as a run does.
func (m *machine) open() (s *state.Store, release func()) {
	m.t.Helper()
	s, err := state.Open(m.State)
	if err != nil {
		m.t.Fatal(err)
	}
	if release, err = s.Lock(); err != nil {
		m.t.Fatal(err)
	}
	if err := s.Begin([]state.Attribute{{ID: 0, Key: "vip", Name: "vip", Kind: "audience"}}, 1, nil); err != nil {
		m.t.Fatal(err)
	}
	return s, release
}

func tell(t *testing.T, s *state.Store, values map[string]bool) {
	t.Helper()
	var d state.Delivery
	for id, v := range values {
		d.Acks = append(d.Acks, state.Acknowledgement{UserID: []byte(id), At: time.Now(), Last: true, Attributes: []state.Change{{ID: 0, Value: attr.OfBool(v)}}})
	}
	if _, err := s.Commit(d); err != nil {
		t.Fatal(err)
	}
}

func announced(ids ...string) (all []state.Announced) {
	for _, id := range ids {
		all = append(all, state.Announced{Unanswered: state.Unanswered{UserID: []byte(id), Attributes: []state.Change{{ID: 0, Value: attr.OfBool(true)}}}})
	}
	return all
}

// known returns what the local state says of its contacts, and who is unanswered.
func (m *machine) known() (records map[string]bool, unanswered []string) {
	m.t.Helper()
	s, err := state.Open(m.State)
	if err != nil {
		m.t.Fatal(err)
	}
	return knownTo(m.t, s)
}

// vanish removes all that a machine has.
func (m *machine) vanish() {
	m.t.Helper()
	files, _ := filepath.Glob(m.State.Path + "*")
	for _, f := range files {
		os.Remove(f)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

// TestTakeOver: what one machine left, another one has, with who may have been told more.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	a, b := newMachine(t, server.URL("acme")), newMachine(t, server.URL("acme"))
	now := time.Now()
	b.Now = func() time.Time { return now }
	h := a.hold()
	s, release := a.open()
	tell(t, s, map[string]bool{"u1": true, "u2": true})
	if err := h.Keep(t.Context(), s, announced("u3", "u4")); err != nil {
		t.Fatal(err)
	}
	tell(t, s, map[string]bool{"u3": true}) // nobody else ever knows
	release()

	var locked *state.LockedError
	if _, err := Hold(t.Context(), b.Options); !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Fatalf("it is held: %v", err)
	}
	now = now.Add(3 * time.Minute) // the lease has run out by its own clock, which may be wrong
	if _, err := Hold(t.Context(), b.Options); !errors.As(err, &locked) {
		t.Fatalf("it may be held: %v", err)
	}
	now = now.Add(2 * time.Minute)
	taken := b.hold()
	records, unanswered := b.known()
	equal(t, "records", records, map[string]bool{"u1": true, "u2": true})
	equal(t, "unanswered", unanswered, "[u3 u4]")

	// The first one finds out when it wants to keep what it did.
	err := h.Keep(t.Context(), s, announced("u5"))
	if !errors.As(err, &locked) || !strings.HasPrefix(locked.Path, "s3://exports/acme") {
		t.Errorf("it was taken over: %v", err)
	}
	if err := h.End(t.Context()); !errors.As(err, &locked) {
		t.Errorf("it was taken over: %v", err)
	}
	if h.Context().Err() == nil || h.Check() == nil {
		t.Error("it would go on")
	}
	s, release = b.open()
	tell(t, s, map[string]bool{"u3": false, "u4": true})
	release()
	if err := taken.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	h = a.hold()
	records, unanswered = a.known()
	equal(t, "records", records, map[string]bool{"u1": true, "u2": true, "u3": false, "u4": true})
	equal(t, "unanswered", len(unanswered), 0)
	if err := h.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "fence", h.holding.fence, 3)
}

// TestGoOn: a process that ended without a word is followed at once in its folder, with all that
// it knew.
func TestGoOn(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	a := newMachine(t, server.URL("acme"))
	h := a.hold()
	s, release := a.open()
	if err := h.Keep(t.Context(), s, announced("u1")); err != nil {
		t.Fatal(err)
	}
	tell(t, s, map[string]bool{"u1": true})
	release()
	h.end() // as if it had been killed
	_ = h.lock.Unlock()
	h = a.hold()
	records, unanswered := a.known()
	equal(t, "records", records, map[string]bool{"u1": true})
	equal(t, "unanswered", len(unanswered), 0)
	if err := h.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.vanish()
	h = a.hold()
	defer h.End(t.Context())
	records, unanswered = a.known()
	equal(t, "records", records, map[string]bool{"u1": true})
	equal(t, "unanswered", len(unanswered), 0)
}

// TestStandings: a local state that is not the bucket's is told apart.
func TestStandings(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	a, b := newMachine(t, server.URL("acme")), newMachine(t, server.URL("acme"))
	run := func(m *machine, values map[string]bool) {
		t.Helper()
		h := m.hold()
		s, release := m.open()
		tell(t, s, values)
		release()
		if err := h.End(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	look := func(m *machine, here string) Status {
		t.Helper()
		status, err := Look(t.Context(), m.Options)
		if err != nil || status.Here != here {
			t.Errorf("%+v, %v, want %s", status, err, here)
		}
		return status
	}
	look(a, "none")
	run(a, map[string]bool{"u1": true})
	first := look(a, "the same").Last
	look(b, "none")
	look(b, "the same")
	run(b, map[string]bool{"u1": false})
	look(a, "older")
	records, _ := a.known()
	equal(t, "records", records, map[string]bool{"u1": false})
	for range 4 {
		run(a, map[string]bool{"u2": true})
	}
	status := look(a, "the same")
	if len(status.Former) != mostFormer || status.Former[0].Number != status.Last.Number-1 || status.Holder != nil {
		t.Errorf("%+v", status)
	}

	// An earlier snapshot can be had as long as it is kept.
	h := a.hold()
	copyOf := filepath.Join(t.TempDir(), "copy.db")
	if _, err := h.Fetch(t.Context(), first.ID, copyOf); err == nil || !strings.Contains(err.Error(), "has no snapshot") {
		t.Errorf("the first: %v", err)
	}
	if found, err := h.Fetch(t.Context(), status.Former[2].ID, copyOf); err != nil || found.State != status.Former[2].State {
		t.Errorf("the last but two: %+v, %v", found, err)
	}
	if err := h.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, err := state.Open(state.Options{Path: copyOf, Project: "acme"}); err != nil || s.Mark().Commits != status.Former[2].State.Commits {
		t.Errorf("%v", err)
	}

	// A state of another line is nobody's to replace.
	other := newMachine(t, server.URL("acme"))
	s, release := other.open()
	tell(t, s, map[string]bool{"u9": true})
	release()
	for _, ask := range []func() error{
		func() error { _, err := Hold(t.Context(), other.Options); return err },
		func() error { _, err := Look(t.Context(), other.Options); return err },
	} {
		if err := ask(); err == nil || !strings.Contains(err.Error(), "is not the one of the replica") {
			t.Errorf("another line: %v", err)
		}
	}
	records, _ = other.known()
	equal(t, "records", records, map[string]bool{"u9": true})

	// Nor is one that has more, when nobody knows where from.
	s, release = b.open()
	for range 50 {
		tell(t, s, map[string]bool{"u3": true})
	}
	release()
	if err := state.TwinOf(b.State.Path).Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := Hold(t.Context(), b.Options); err == nil || !strings.Contains(err.Error(), "commits more than the snapshot") {
		t.Errorf("more: %v", err)
	}

	// A folder that was emptied is no first run.
	if s, err := openStore(t.Context(), a.Options); err != nil {
		t.Fatal(err)
	} else if err := s.Delete(t.Context(), "acme/"+leaseName); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*machine{a, newMachine(t, server.URL("acme"))} {
		if _, err := Hold(t.Context(), m.Options); err == nil || !strings.Contains(err.Error(), "although there are snapshots") {
			t.Errorf("without the lease: %v", err)
		}
		if _, err := Look(t.Context(), m.Options); err == nil || !strings.Contains(err.Error(), "although there are snapshots") {
			t.Errorf("without the lease: %v", err)
		}
	}
	if err := os.RemoveAll(filepath.Join(server.Folder, "exports", "acme")); err != nil {
		t.Fatal(err)
	}
	if _, err := Hold(t.Context(), a.Options); err == nil || !strings.Contains(err.Error(), "although this machine left one there") {
		t.Errorf("emptied: %v", err)
	}
}

// TestNothingChanged: without a change nothing is moved but the lease.
func TestNothingChanged(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	a := newMachine(t, server.URL("acme"))
	h := a.hold()
	s, release := a.open()
	many := map[string]bool{}
	for i := range 3000 {
		many[fmt.Sprintf("user-%06d", i*7919%3000)] = i%2 == 0
	}
	tell(t, s, many)
	release()
	if err := h.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	h = a.hold()
	if err := h.End(t.Context()); err != nil || h.moved != 0 {
		t.Errorf("%d bytes, %v", h.moved, err)
	}
	h = a.hold()
	s, release = a.open()
	tell(t, s, map[string]bool{"user-000001": false})
	release()
	if err := h.End(t.Context()); err != nil || h.moved > 2000 {
		t.Errorf("%d bytes, %v", h.moved, err)
	}
	b := newMachine(t, server.URL("acme"))
	if _, err := Look(t.Context(), b.Options); err != nil {
		t.Fatal(err)
	}
	got, _ := b.known()
	many["user-000001"] = false
	if !maps.Equal(got, many) {
		t.Error("the other machine has something else")
	}
	var objects int
	filepath.Walk(filepath.Join(server.Folder, "exports"), func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() && !strings.HasPrefix(filepath.Base(path), ".") {
			objects++
		}
		return nil
	})
	if objects > 4 { // the lease, a manifest, two parts
		t.Errorf("%d objects are left", objects)
	}
}

// TestForgotten: what was forgotten is in no object any more.
func TestForgotten(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	a := newMachine(t, server.URL("acme"))
	for _, id := range []string{"u1", "u2", "u3"} {
		h := a.hold()
		s, release := a.open()
		tell(t, s, map[string]bool{id: true})
		release()
		if err := h.End(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	h := a.hold()
	s, release := a.open()
	if err := s.Forget([]string{"u1"}); err != nil {
		t.Fatal(err)
	}
	if err := h.Keep(t.Context(), s, nil); err != nil { // before it is deleted in Gleap
		t.Fatal(err)
	}
	if !h.manifest.Unclean {
		t.Error("it is not noted that something has to go")
	}
	tell(t, s, map[string]bool{"u2": false})
	release()
	if err := h.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m := h.manifest; m.Unclean || len(m.Former) > 0 || m.Whole != len(m.Parts) {
		t.Errorf("%+v", m)
	}
	parts, _ := os.ReadDir(filepath.Join(server.Folder, "exports", "acme", "parts"))
	if len(parts) != 1 {
		t.Errorf("%d parts are left", len(parts))
	}
}

func knownTo(t *testing.T, s *state.Store) (records map[string]bool, unanswered []string) {
	t.Helper()
	records = map[string]bool{}
	all := s.Records()
	for all.Next() {
		var r state.Record
		if err := r.Decode(all.Record()); err != nil {
			t.Fatal(err)
		}
		records[string(all.UserID())] = r.Find(0).Value.Kind() == attr.True
	}
	if all.Err() != nil {
		t.Fatal(all.Err())
	}
	o, err := s.Overview()
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range o.Unanswered {
		unanswered = append(unanswered, string(u.UserID))
	}
	return records, unanswered
}

// TestFirst: what has to be elsewhere first is, with all that a snapshot knows of; if it cannot be,
// the snapshot does not count.
func TestFirst(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	a, b := newMachine(t, server.URL("acme")), newMachine(t, server.URL("acme"))
	refused, seen := error(nil), 0
	a.First = func(_ context.Context, s *state.Store) error {
		records, _ := knownTo(t, s)
		seen = len(records)
		return refused
	}
	h := a.hold()
	s, release := a.open()
	tell(t, s, map[string]bool{"u1": true})
	if err := h.Keep(t.Context(), s, nil); err != nil || seen != 1 {
		t.Fatal(seen, err)
	}
	refused = errors.New("no room")
	tell(t, s, map[string]bool{"u2": true})
	if err := h.Keep(t.Context(), s, announced("u3")); !errors.Is(err, refused) || seen != 2 {
		t.Errorf("%d, %v", seen, err)
	}
	release()
	if err := h.End(t.Context()); !errors.Is(err, refused) {
		t.Errorf("its end: %v", err)
	}
	b.Now = func() time.Time { return time.Now().Add(time.Hour) } // the lease has run out
	taken := b.hold()
	records, unanswered := b.known()
	equal(t, "records", records, map[string]bool{"u1": true})
	equal(t, "unanswered", unanswered, "[]")
	if err := taken.End(t.Context()); err != nil {
		t.Error(err)
	}
}
