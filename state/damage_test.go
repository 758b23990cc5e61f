package state

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gleapsync/internal/attr"
	"gleapsync/internal/rounds"
)

// everything is all that a store can be asked, as text.
func everything(s *Store) (string, error) {
	var all bytes.Buffer
	o, err := s.Overview()
	if err != nil {
		return "", err
	}
	parked, err := s.Parked()
	if err != nil {
		return "", err
	}
	reports, _, err := s.Reports("", 1<<30)
	if err != nil {
		return "", err
	}
	forgotten, err := s.Forgotten()
	if err != nil {
		return "", err
	}
	events, err := s.Due(nil)
	if err != nil {
		return "", err
	}
	parkedEvents, err := s.ParkedEvents()
	if err != nil {
		return "", err
	}
	if err := json.NewEncoder(&all).Encode([]any{o.Created, o.Epoch, o.Resynced, o.Attributes, o.Pace, o.History, parked, reports, len(forgotten.hashes), o.Deletions, events, parkedEvents}); err != nil {
		return "", err
	}
	records := s.Records()
	for records.Next() {
		fmt.Fprintf(&all, "%s %x\n", records.UserID(), records.Record())
	}
	return all.String(), records.Err()
}

// filled returns a state with something of everything, and branch pages in its tree.
func filled(t testing.TB, contacts int) *Store { return fill(t, newStore(t), contacts) }

// fill puts that into a state.
func fill(t testing.TB, s *Store, contacts int) *Store {
	var acks []Acknowledgement
	for i := range contacts {
		acks = append(acks, ack(fmt.Sprintf("user-%06d", i), 0, attr.OfBool(i%3 > 0)), ack(fmt.Sprintf("user-%06d", i), 1, attr.OfString([]byte("gold"))))
	}
	refused := Delivery{RefusedEvents: []ParkedEvent{{Event: happened("u3", 3, 3), Status: 422, Reason: "refused", Last: time.Unix(1, 0)}}}
	parked := []Parked{{UserID: "p1", Status: 422, Reason: "refused", Last: time.Unix(1, 0)}, {UserID: "p2", Status: 400, Last: time.Unix(2, 0)}}
	if err := errors.Join(
		commit(s, acks, parked, []byte(`{}`)),
		s.AbsorbEvents(NewEvents{Events: []Event{happened("u1", 1, 1), happened("u2", 2, 2), happened("u3", 3, 3)}, Messages: []uint64{1, 2}}),
		s.Forget([]string{"user-000003", "gone"}),
		s.Finish(Result{Run: "run-1", Report: []byte(`{"run":"run-1"}`), Resynced: 1, Applied: map[uint32]Applied{0: {Fingerprint: "f", Members: 7}}, History: []byte(`{}`)}),
	); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(refused); err != nil {
		t.Fatal(err)
	}
	return s
}

// FuzzOpen opens files that were a state before some bytes of them were changed: each
// three bytes of edits are a place, counted from the one before, and what is put there.
func FuzzOpen(f *testing.F) {
	s := filled(f, 100)
	if _, _, err := Compact(s); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(s.path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{}, uint(len(whole)))
	f.Add([]byte{0, 0, 1, 0x20, 0x10, 2}, uint(len(whole)))
	f.Add([]byte{}, uint(5000))
	f.Fuzz(func(t *testing.T, edits []byte, size uint) {
		content := bytes.Clone(whole[:min(size, uint(len(whole)))])
		for at := 0; len(edits) >= 3 && len(content) > 0; edits = edits[3:] {
			at = (at + int(edits[0])<<8 + int(edits[1])) % len(content)
			content[at] = edits[2]
		}
		path := filepath.Join(t.TempDir(), "state.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(Options{Path: path, Project: "acme"})
		if err != nil {
			return
		}
		_, _ = everything(s)
		_, _ = Verify(s)
	})
}

// filledFile returns the bytes of a filled state, and everything that it says.
func filledFile(t *testing.T) (whole []byte, says string) {
	s := filled(t, 2000)
	says, err := everything(s)
	if err != nil {
		t.Fatal(err)
	}
	if whole, err = os.ReadFile(s.path); err != nil {
		t.Fatal(err)
	}
	return whole, says
}

// TestFlippedBytes changes single bytes of a state file. Whatever is read from it is
// then what it was or what it was one transaction before, or else an error; it never
// panics, and never is there less in it.
func TestFlippedBytes(t *testing.T) {
	whole, want := filledFile(t)
	path := filepath.Join(t.TempDir(), "state.db")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(whole); err != nil {
		t.Fatal(err)
	}
	flips, found := 0, 0
	page := os.Getpagesize()
	for at := range whole {
		// The pages' own bytes are worth more than those of one record.
		every := rounds.Of(2000, 500)
		if at%page < 64 || whole[at/page*page+8] == branchPage {
			every = rounds.Of(20, 5)
		}
		if rand.N(every) > 0 {
			continue
		}
		flips++
		flipped := whole[at] ^ byte(1+rand.N(255))
		if _, err := file.WriteAt([]byte{flipped}, int64(at)); err != nil {
			t.Fatal(err)
		}
		damaged, err := Open(Options{Path: path, Project: "acme"})
		var got string
		if err == nil {
			got, err = everything(damaged)
		}
		switch {
		case err != nil:
			found++
		case got != want && at >= 2*page:
			t.Errorf("byte %d from %x to %x: something else is read, and no error", at, whole[at], flipped)
		}
		if err == nil {
			if _, err := Verify(damaged); err != nil {
				found++
			}
		}
		if _, err := file.WriteAt(whole[at:at+1], int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of %d bytes flipped, %d were found out", flips, len(whole), found)
}

// TestPagesOfOthers: a branch page, or a bucket, that has another page for its own, be it one in use, a
// free one, the list of these or a meta page, is found. To follow it may have no end.
func TestPagesOfOthers(t *testing.T) {
	whole, want := filledFile(t)
	size := os.Getpagesize()
	page := func(id int) []byte { return whole[id*size:][:size] }
	var places []int // where there are numbers of pages
	free := 0
	for id := range len(whole) / size {
		for i := range count(page(id)) {
			switch at := pageHeader + i*elementSize; flags(page(id)) {
			case branchPage:
				places = append(places, id*size+at+8)
			case leafPage:
				if e := page(id)[at:]; binary.NativeEndian.Uint32(e) == isBucket {
					places = append(places, id*size+at+int(binary.NativeEndian.Uint32(e[4:])+binary.NativeEndian.Uint32(e[8:])))
				}
			case freelistPage:
				free++
			}
		}
	}
	if free == 0 || len(places) < 20 {
		t.Fatalf("%d free pages, %d places", free, len(places))
	}
	path := filepath.Join(t.TempDir(), "state.db")
	for _, at := range places {
		for id := range len(whole) / size {
			if rand.N(rounds.Of(20, 1)) > 0 {
				continue
			}
			content := bytes.Clone(whole)
			binary.NativeEndian.PutUint64(content[at:], uint64(id))
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			got := ""
			opened, err := Open(Options{Path: path, Project: "acme"})
			if err == nil {
				got, err = everything(opened)
			}
			if err == nil && got != want {
				t.Errorf("page %d at %d: there is something else, and no error", id, at)
			}
		}
	}
}
