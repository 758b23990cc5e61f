package state

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"gleapsync/internal/attr"
)

// TestUnanswered: what may be begun stays in the file until it is answered, attribute by
// attribute, whichever run it was.
func TestUnanswered(t *testing.T) {
	s := newStore(t)
	begin := func(id string, fields string, attributes ...Change) Announced {
		return Announced{Unanswered{[]byte(id), attributes}, []byte(fields)}
	}
	yes, gold := Change{0, attr.OfBool(true)}, Change{1, attr.OfString([]byte("gold"))}
	no := Change{0, attr.OfBool(false)}
	answered := func(id string, changes ...Change) Acknowledgement {
		return Acknowledgement{UserID: []byte(id), At: time.Unix(1_800_000_000, 0), Attributes: changes}
	}
	for _, step := range []struct {
		name     string
		delivery Delivery
		want     string
	}{
		{"nothing", Delivery{}, ""},
		{"begun", Delivery{Announced: []Announced{begin("u2", "", yes), begin("u1", "\x02", yes, gold)}}, "u1 0=true 1=\"gold\", u2 0=true"},
		{"one of two calls answered", Delivery{Acks: []Acknowledgement{answered("u1", yes)}}, "u1 1=\"gold\", u2 0=true"},
		{"another one answered", Delivery{Acks: []Acknowledgement{answered("u3", yes)}}, "u1 1=\"gold\", u2 0=true"},
		{"begun by another run", Delivery{Announced: []Announced{begin("u1", "\x02", yes), begin("u2", "\x02", no)}}, "u1 0=true 1=\"gold\", u2 0=false"},
		{"not sent", Delivery{NotTaken: [][]byte{[]byte("u2"), []byte("u4")}, Announced: []Announced{begin("u0", "", no)}}, "u0 0=false, u1 0=true 1=\"gold\""},
		{"assumed", Delivery{Acks: []Acknowledgement{answered("u1", gold, yes)}, Assumed: true}, "u0 0=false, u1 0=true 1=\"gold\""},
		{"all answered", Delivery{Acks: []Acknowledgement{answered("u1", gold, yes), answered("u0", no)}}, ""},
	} {
		if _, err := s.Commit(step.delivery); err != nil {
			t.Fatal(step.name, err)
		}
		if got := unanswered(t, s); got != step.want {
			t.Errorf("%s: got %s, want %s", step.name, got, step.want)
		}
		checkFile(t, s.Path())
	}

	if _, err := s.Commit(Delivery{Announced: []Announced{begin("u1", "", yes), begin("u2", "", yes)}}); err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(t.TempDir(), "backup.db")
	if err := Backup(s, backup); err != nil {
		t.Fatal(err)
	}
	if err := s.Forget([]string{"u1"}); err != nil {
		t.Fatal(err)
	}
	if got := unanswered(t, s); got != "u2 0=true" {
		t.Errorf("forgotten: got %s", got)
	}
	if _, err := Restore(s, backup, false); err != nil {
		t.Fatal(err)
	}
	if got := unanswered(t, open(t, s.Path())); got != "u2 0=true" {
		t.Errorf("forgotten and restored: got %s", got)
	}
}

// TestAnnounced: once a contact's calls may begin, nobody knows what Gleap has of its
// fields, nor that it is refused.
func TestAnnounced(t *testing.T) {
	s := newStore(t)
	with := ack("u1", 0, attr.OfBool(true))
	with.Fields, with.Unpark = []Field{{1, []byte("Ada")}, {2, []byte("x@x.io")}}, false
	deliver := func(d Delivery) {
		t.Helper()
		if _, err := s.Commit(d); err != nil {
			t.Fatal(err)
		}
	}
	deliver(Delivery{Acks: []Acknowledgement{with}, Parked: []Parked{{UserID: "u1", Wanted: 7}, {UserID: "u2", Wanted: 7}}})
	deliver(Delivery{Announced: []Announced{{Unanswered{UserID: []byte("u1")}, []byte{2, 3}}}})
	c, err := s.Contact("u1")
	record := c.Record
	if err != nil || len(record.Fields) != 1 || record.Fields[0] != s.FieldHash(1, []byte("Ada")) {
		t.Errorf("%+v, %v", record, err)
	}
	parked, err := s.Parked()
	if err != nil || len(parked) != 2 || parked[0].Wanted != 0 || parked[1].Wanted != 7 {
		t.Errorf("%+v, %v", parked, err)
	}
	checkFile(t, s.Path())
}

func unanswered(t *testing.T, s *Store) (text string) {
	t.Helper()
	o, err := s.Overview()
	if err != nil {
		t.Fatal(err)
	}
	for i, u := range o.Unanswered {
		if i > 0 {
			text += ", "
		}
		text += string(u.UserID)
		attributes := map[uint32]string{}
		for _, c := range u.Attributes {
			attributes[c.ID] = string(c.Value.AppendJSON(nil))
		}
		for id := range uint32(2) {
			if v, ok := attributes[id]; ok {
				text += fmt.Sprintf(" %d=%s", id, v)
			}
		}
	}
	return text
}

func FuzzUnanswered(f *testing.F) {
	f.Add([]byte("\x02u1\x02\x00\x03\x01\x05\x04gold"))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := decodeUnanswered(b)
		if err == nil && len(all) > len(b) {
			t.Errorf("%x decodes to %d contacts", b, len(all))
		}
	})
}
