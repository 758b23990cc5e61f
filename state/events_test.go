package state

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gleapsync/internal/attr"
	"gleapsync/internal/rounds"
)

func due(t testing.TB, s *Store) string {
	t.Helper()
	var all []string
	var behind *Event
	for {
		events, err := s.Due(behind)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			return strings.Join(all, " ")
		}
		for _, e := range events {
			all = append(all, fmt.Sprintf("%s/%d/%d=%s", e.UserID, e.At, e.ID, e.JSON))
		}
		behind = &events[len(events)-1]
	}
}

func happened(user string, at int64, id uint64) Event {
	return Event{[]byte(user), at, id, fmt.Appendf(nil, `"%s%d"`, user, at)}
}

// TestEventKeys: keys sort by user id, then by time, whatever bytes the ids have.
func TestEventKeys(t *testing.T) {
	rounds.Check(t, func(r *rapid.T) {
		draw := rapid.Custom(func(r *rapid.T) Event {
			return Event{
				UserID: []byte(rapid.StringMatching(`[a\x00\x01\xff]{1,4}`).Draw(r, "user")),
				At:     rapid.Int64().Draw(r, "at"), ID: rapid.Uint64().Draw(r, "id"),
			}
		})
		a, b := draw.Draw(r, "a"), draw.Draw(r, "b")
		want := cmp.Or(bytes.Compare(a.UserID, b.UserID), cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID))
		if got := bytes.Compare(a.key(), b.key()); got != want {
			r.Errorf("%v and %v: %d, want %d", a, b, got, want)
		}
		if inPrefix := bytes.HasPrefix(a.key(), contactPrefix(b.UserID)); inPrefix != bytes.Equal(a.UserID, b.UserID) {
			r.Errorf("%v and %v: the prefix is shared: %v", a, b, inPrefix)
		}
		var back Event
		if err := back.decodeKey(a.key()); err != nil || !bytes.Equal(back.UserID, a.UserID) || back.At != a.At || back.ID != a.ID {
			r.Errorf("%v comes back as %v, %v", a, back, err)
		}
	})
}

// TestEvents: events are due from the commit of their contact's call on until Gleap took
// or refused them, and one that is stored twice is one.
func TestEvents(t *testing.T) {
	s := newStore(t)
	commit := func(d Delivery) string {
		t.Helper()
		ready, err := s.Commit(d)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, e := range ready {
			all = append(all, fmt.Sprintf("%s/%d", e.UserID, e.At))
		}
		return strings.Join(all, " ")
	}
	first := ack("u1", 0, attr.OfBool(true))
	first.Events = []Event{happened("u1", 5, 1), happened("u1", -5, 1)}
	if got := commit(Delivery{Acks: []Acknowledgement{first}}); got != "" {
		t.Errorf("%s may be sent before the last call", got)
	}
	last := ack("u1", 1, attr.OfString([]byte("gold")))
	last.Events, last.Last = []Event{happened("u1", 5, 2)}, true
	if got := commit(Delivery{Acks: []Acknowledgement{last}}); got != "u1/-5 u1/5 u1/5" {
		t.Errorf("%s may be sent", got)
	}
	if err := s.AbsorbEvents(NewEvents{Events: []Event{happened("u2", 1, 9), happened("u1", 5, 2)}}); err != nil {
		t.Fatal(err)
	}
	const all = `u1/-5/1="u1-5" u1/5/1="u15" u1/5/2="u15" u2/1/9="u21"`
	if got := due(t, s); got != all {
		t.Errorf("due are %s", got)
	}
	if got := commit(Delivery{Parked: []Parked{{UserID: "u2", Status: 400}}}); got != "u2/1" {
		t.Errorf("%s may be sent", got)
	}
	commit(Delivery{Events: []Event{happened("u1", -5, 1), happened("u9", 0, 0)}, RefusedEvents: []ParkedEvent{{happened("u1", 5, 2), 422, "refused", time.Unix(7, 0).UTC()}}})
	if got := due(t, s); got != `u1/5/1="u15" u2/1/9="u21"` {
		t.Errorf("due are %s", got)
	}
	parked, err := s.ParkedEvents()
	if err != nil || fmt.Sprint(parked) != fmt.Sprint([]ParkedEvent{{happened("u1", 5, 2), 422, "refused", time.Unix(7, 0).UTC()}}) {
		t.Errorf("parked are %v, %v", parked, err)
	}
	if o, err := s.Overview(); err != nil || o.DueEvents != 2 || o.ParkedEvents != 1 {
		t.Errorf("%+v, %v", o, err)
	}
	if v, err := Verify(s); err != nil || v.Events != 2 || v.ParkedEvents != 1 {
		t.Errorf("%+v, %v", v, err)
	}
	if c, err := s.Contact("u1"); err != nil || len(c.Due) != 1 || len(c.ParkedEvents) != 1 || c.Due[0].ID != 1 || c.ParkedEvents[0].ID != 2 {
		t.Errorf("u1 has %+v, %v", c, err)
	}
	if _, _, err := Unpark(s, "u3"); err == nil {
		t.Error("a contact without anything parked is unparked")
	}
	if contacts, events, err := Unpark(s, "u1"); contacts != 0 || events != 1 || err != nil {
		t.Errorf("%d contacts, %d events, %v", contacts, events, err)
	}
	if got := due(t, s); got != `u1/5/1="u15" u1/5/2="u15" u2/1/9="u21"` {
		t.Errorf("due are %s", got)
	}
	commit(Delivery{RefusedEvents: []ParkedEvent{{happened("u1", 5, 2), 422, "refused", time.Unix(7, 0).UTC()}}})
	if err := s.Forget([]string{"u1"}); err != nil {
		t.Fatal(err)
	}
	if parked, err = s.ParkedEvents(); len(parked) > 0 || err != nil || due(t, s) != `u2/1/9="u21"` {
		t.Errorf("of a forgotten contact there is %v, %s, %v", parked, due(t, s), err)
	}
}

// TestDiscard: events that are discarded are gone, those of some contacts or all.
func TestDiscard(t *testing.T) {
	for _, test := range []struct {
		parkedOnly bool
		ids        []string
		n          int
		due        string
		parked     int
	}{
		{false, nil, 4, "", 0},
		{true, nil, 2, `u1/1/1="u11" u2/1/1="u21"`, 0},
		{false, []string{"u1", "nobody"}, 2, `u2/1/1="u21"`, 1},
		{true, []string{"u2"}, 1, `u1/1/1="u11" u2/1/1="u21"`, 1},
	} {
		s := newStore(t)
		if n, err := Discard(s, test.parkedOnly, test.ids...); n != 0 || err != nil {
			t.Errorf("of nothing %d are discarded, %v", n, err)
		}
		if err := s.AbsorbEvents(NewEvents{Events: []Event{happened("u1", 1, 1), happened("u2", 1, 1), happened("u1", 2, 2), happened("u2", 2, 2)}}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Commit(Delivery{RefusedEvents: []ParkedEvent{{Event: happened("u1", 2, 2)}, {Event: happened("u2", 2, 2)}}}); err != nil {
			t.Fatal(err)
		}
		n, err := Discard(s, test.parkedOnly, test.ids...)
		parked, parkedErr := s.ParkedEvents()
		if err != nil || parkedErr != nil || n != test.n || due(t, s) != test.due || len(parked) != test.parked {
			t.Errorf("%+v: %d, %v, due %s, parked %v", test, n, err, due(t, s), parked)
		}
		if v, err := Verify(s); err != nil || v.ParkedEvents != test.parked {
			t.Errorf("%+v, %v", v, err)
		}
	}
}

// TestRemembered: messages are remembered until they are too old.
func TestRemembered(t *testing.T) {
	s := newStore(t)
	remembered := func() string {
		t.Helper()
		found, err := s.Remembered([]uint64{9, 1, 5, 7})
		if err != nil {
			t.Fatal(err)
		}
		var all []uint64
		for m := range found {
			all = append(all, m)
		}
		slices.Sort(all)
		return fmt.Sprint(all)
	}
	for _, test := range []struct {
		messages []uint64
		forget   time.Time
		want     string
	}{
		{nil, time.Time{}, "[]"},
		{[]uint64{5, 1}, time.Time{}, "[1 5]"},
		{[]uint64{7}, time.Now().Add(-time.Hour), "[1 5 7]"},
		{nil, time.Time{}, "[1 5 7]"},
		{[]uint64{9}, time.Now().Add(time.Hour), "[9]"},
	} {
		if err := s.AbsorbEvents(NewEvents{Messages: test.messages, Forget: test.forget}); err != nil {
			t.Fatal(err)
		}
		if got := remembered(); got != test.want {
			t.Errorf("after %v: %s, want %s", test, got, test.want)
		}
	}
	if _, err := Verify(s); err != nil {
		t.Error(err)
	}
}

// TestEventsFormat: a file without events stays readable for the versions before, one with
// events does not, since they could not forget what it holds.
func TestEventsFormat(t *testing.T) {
	s := newStore(t)
	version := func() byte {
		content, err := os.ReadFile(s.path)
		if err != nil {
			t.Fatal(err)
		}
		_, format, _ := bytes.Cut(content, []byte("format"))
		return format[0]
	}
	if err := commit(s, []Acknowledgement{ack("u1", 0, attr.OfBool(true))}, nil, nil); err != nil || version() != formatVersion {
		t.Errorf("version %d, %v", version(), err)
	}
	if err := s.AbsorbEvents(NewEvents{Events: []Event{happened("u1", 1, 1)}}); err != nil {
		t.Fatal(err)
	}
	if err := s.AbsorbChanges([]Absorbed{{[]byte("u1"), new(Said).Append(nil)}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Compact(s); err != nil || version() != formatWithEvents {
		t.Errorf("version %d, %v", version(), err)
	}
}

// TestRestoredEvents: a backup does not bring the events of a contact back that was
// forgotten since.
func TestRestoredEvents(t *testing.T) {
	s := newStore(t)
	if err := s.AbsorbEvents(NewEvents{Events: []Event{happened("u1", 1, 1), happened("u2", 1, 1)}}); err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(t.TempDir(), "backup.db")
	if err := Backup(s, backup); err != nil {
		t.Fatal(err)
	}
	if err := s.Forget([]string{"u1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(s, backup, false); err != nil {
		t.Fatal(err)
	}
	if got := due(t, s); got != `u2/1/1="u21"` {
		t.Errorf("due are %s", got)
	}
}

func FuzzEventKey(f *testing.F) {
	e := happened("u\x001", 7, 9)
	f.Add(e.key())
	f.Fuzz(func(t *testing.T, key []byte) {
		var e Event
		if e.decodeKey(key) == nil && !bytes.Equal(e.key(), key) {
			t.Errorf("%x comes back as %x", key, e.key())
		}
	})
}
