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
	begin := func(id string, fields string, attributes ...Change) Unanswered {
		return Unanswered{[]byte(id), attributes, []byte(fields)}
	}
	yes, gold := Change{0, attr.OfBool(true)}, Change{1, attr.OfString([]byte("gold"))}
	no := Change{0, attr.OfBool(false)}
	email := Field{2, []byte("x@x.io")}
	answered := func(id string, changes ...Change) Acknowledgement {
		return Acknowledgement{UserID: []byte(id), At: time.Unix(1_800_000_000, 0), Attributes: changes}
	}
	for _, step := range []struct {
		name     string
		delivery Delivery
		want     string
	}{
		{"nothing", Delivery{}, ""},
		{"begun", Delivery{Begin: []Unanswered{begin("u2", "", yes), begin("u1", "\x02", yes, gold)}}, "u1 0=true 1=\"gold\" f2, u2 0=true"},
		{"one of two calls answered", Delivery{Acks: []Acknowledgement{answered("u1", yes)}}, "u1 1=\"gold\" f2, u2 0=true"},
		{"another one answered", Delivery{Acks: []Acknowledgement{answered("u3", yes)}}, "u1 1=\"gold\" f2, u2 0=true"},
		{"begun by another run", Delivery{Begin: []Unanswered{begin("u1", "\x02", yes), begin("u2", "\x02", no)}}, "u1 0=true 1=\"gold\" f2, u2 0=false f2"},
		{"not sent", Delivery{NotSent: [][]byte{[]byte("u2"), []byte("u4")}, Begin: []Unanswered{begin("u0", "", no)}}, "u0 0=false, u1 0=true 1=\"gold\" f2"},
		{"a field answered", Delivery{Acks: []Acknowledgement{{UserID: []byte("u1"), Fields: []Field{email}}}}, "u0 0=false, u1 0=true 1=\"gold\""},
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

	if _, err := s.Commit(Delivery{Begin: []Unanswered{begin("u1", "", yes), begin("u2", "", yes)}}); err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(t.TempDir(), "backup.db")
	if err := s.Backup(backup); err != nil {
		t.Fatal(err)
	}
	if err := s.Forget([]string{"u1"}); err != nil {
		t.Fatal(err)
	}
	if got := unanswered(t, s); got != "u2 0=true" {
		t.Errorf("forgotten: got %s", got)
	}
	if _, err := s.Restore(backup); err != nil {
		t.Fatal(err)
	}
	if got := unanswered(t, open(t, s.Path())); got != "u2 0=true" {
		t.Errorf("forgotten and restored: got %s", got)
	}
}

func unanswered(t *testing.T, s *Store) (text string) {
	t.Helper()
	all, err := s.Unanswered()
	if err != nil {
		t.Fatal(err)
	}
	for i, u := range all {
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
		for _, f := range u.Fields {
			text += fmt.Sprintf(" f%d", f)
		}
	}
	return text
}

func FuzzUnanswered(f *testing.F) {
	f.Add([]byte("\x02u1\x02\x00\x03\x01\x05\x04gold\x01\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := decodeUnanswered(b)
		if err == nil && len(all) > len(b) {
			t.Errorf("%x decodes to %d contacts", b, len(all))
		}
	})
}
