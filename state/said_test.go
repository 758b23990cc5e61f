package state

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"gleapsync/internal/attr"
)

// TestChangedAdd: the newest change counts wherever it stands, and a message once.
func TestChangedAdd(t *testing.T) {
	in, out := attr.OfBool(true), attr.OfBool(false)
	var c Said
	c.Add(7, 50, 1, in)
	c.Add(3, 10, 1, attr.OfNumber([]byte("1")))
	for i, test := range []struct {
		at      int64
		message uint64
		value   attr.Value
		want    string
	}{
		{40, 2, out, "true"},   // late
		{60, 1, out, "true"},   // a message that was counted
		{60, 3, out, "false"},  // newer
		{60, 4, in, "true"},    // as new, and read later
		{60, 3, out, "true"},   // repeated
		{61, 0, out, "false"},  // without an id
		{-60, 5, out, "false"}, // before 1970
	} {
		c.Add(7, test.at, test.message, test.value)
		var back Said
		if err := back.Decode(c.Append(nil)); err != nil || fmt.Sprint(back) != fmt.Sprint(c) {
			t.Errorf("%d: %v comes back as %v, %v", i, c, back, err)
		}
		if got := c.Attributes[1].Value.String(); got != test.want || c.Attributes[0].Value.String() != "1" {
			t.Errorf("%d: got %s, want %s", i, got, test.want)
		}
	}
	for m := range uint64(2 * maxMessages) {
		c.Add(7, 70, 100+m, in)
	}
	if n := len(c.Attributes[1].Messages); n != maxMessages {
		t.Errorf("%d messages are kept", n)
	}
	if !c.AddField(2, 5) || !c.AddField(1, 5) || c.AddField(2, 4) || !c.AddField(2, 5) || !c.AddField(2, 6) {
		t.Error("the newest field does not count")
	}
}

func FuzzChangedDecode(f *testing.F) {
	var c Said
	c.Add(7, 50, 1, attr.OfString([]byte("gold")))
	c.Attributes[0].Tried = true
	c.AddField(2, 5)
	f.Add(c.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c Said
		if c.Decode(b) == nil && len(c.Append(nil)) > len(b) {
			t.Errorf("%x decodes to more than it is", b)
		}
	})
}

// TestAbsorb: what change exports said and which of their files are done lasts, is found,
// and is forgotten with the contact.
func TestAbsorb(t *testing.T) {
	o := Options{Path: filepath.Join(t.TempDir(), "state.db"), Project: "acme"}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Begin(nil, 1, nil); err != nil {
		t.Fatal(err)
	}
	var c Said
	c.Add(7, 50, 1, attr.OfBool(true))
	said := []Absorbed{{[]byte("u1"), c.Append(nil)}, {[]byte("u2"), c.Append(nil)}}
	if err := s.AbsorbChanges(said); err != nil {
		t.Fatal(err)
	}
	for _, files := range [][]DoneFile{{{Source: "a", Name: "1"}, {Source: "a", Name: "2"}}, {{Source: "a", Name: "2"}, {Source: "b", Name: "1"}}, nil} {
		if err := s.Finish(Result{Run: "r", Report: []byte("{}"), Files: files}); err != nil {
			t.Fatal(err)
		}
	}
	if files, err := s.Files(); err != nil || len(files) != 2 || files[0].Name != "2" || files[1].Source != "b" {
		t.Errorf("%v, %v", files, err)
	}
	if err := s.Forget([]string{"u1"}); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(o); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(s); err != nil {
		t.Error(err)
	}
	for id, want := range map[string]int{"u1": 0, "u2": 1, "u3": 0} {
		if c, err := s.Contact(id); err != nil || len(c.Said.Attributes) != want {
			t.Errorf("%s: %v, %v", id, c, err)
		}
	}
	r := s.SaidRanges(nil)[0]
	for r.Next() {
		if string(r.UserID()) != "u2" || !bytes.Equal(r.Record(), c.Append(nil)) {
			t.Errorf("%s: %x", r.UserID(), r.Record())
		}
	}
	if r.Err() != nil {
		t.Error(r.Err())
	}
}
