package push

import (
	"fmt"
	"testing"

	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// planOf returns a plan of first deliveries to so many contacts.
func planOf(t testing.TB, contacts int, value attr.Value) *planfile.File {
	f := &planfile.File{}
	t.Cleanup(f.Close)
	p := f.Add(state.Turns{}, extsort.TempIn(t.TempDir()))
	for i := range contacts {
		e := planfile.Entry{UserID: fmt.Appendf(nil, "u%06d", i), Class: runs.ClassFirst, Attributes: []state.Change{{Value: value}}}
		if err := p.Write(&e); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// TestFeeder: what is open is bounded, grows where it does not last, and what the senders left
// is returned at the end.
func TestFeeder(t *testing.T) {
	f := newFeeder(planOf(t, 100, attr.OfBool(true)).Read(state.Turns{}), 8)
	read := func() []*planfile.Entry {
		t.Helper()
		entries, err := f.read()
		if err != nil {
			t.Fatal(err)
		}
		return entries
	}
	entries := read()
	if len(entries) != 8 || len(read()) != 0 || len(f.begun) != 0 {
		t.Fatalf("%d are read, %d begun before they are handed", len(entries), len(f.begun))
	}
	f.hand(entries)
	for range 4 {
		f.answered(<-f.begun)
		if f.grow() {
			t.Error("it grows with half of them open")
		}
	}
	f.answered(<-f.begun)
	if !f.grow() || f.mayOpen != 16 {
		t.Errorf("%d may be open", f.mayOpen)
	}
	if entries = read(); len(entries) != 13 || string(entries[0].UserID) != "u000008" {
		t.Errorf("%d are read from %s on", len(entries), entries[0].UserID)
	}
	f.hand(entries)
	if left := f.end(); len(left) != 16 || string(left[0].UserID) != "u000005" || len(read()) != 0 {
		t.Errorf("%d are left", len(left))
	}
}

// TestFeederEnds: the senders end once all that is read is begun.
func TestFeederEnds(t *testing.T) {
	f := newFeeder(planOf(t, 3, attr.OfBool(true)).Read(state.Turns{}), 8)
	entries, err := f.read()
	if err != nil || len(entries) != 3 {
		t.Fatalf("%d are read: %v", len(entries), err)
	}
	f.hand(entries)
	n := 0
	for e := range f.begun {
		f.answered(e)
		n++
	}
	if n != 3 || f.open != 0 || f.openSize != 0 || f.grow() || len(f.end()) != 0 {
		t.Errorf("%d are begun, %d open", n, f.open)
	}
}

// TestFeederOfLongEntries: their bytes are bounded too.
func TestFeederOfLongEntries(t *testing.T) {
	f := newFeeder(planOf(t, 50, attr.OfString(make([]byte, 100<<10))).Read(state.Turns{}), 40)
	if entries, err := f.read(); err != nil || len(entries) != 11 {
		t.Errorf("%d are read: %v", len(entries), err)
	}
}
