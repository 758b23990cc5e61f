package planfile

import (
	"bytes"
	"fmt"
	"testing"

	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/state"
)

// FuzzEntry: Decode of Append is the same entry, and no bytes panic.
func FuzzEntry(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 3, 2, 1, 'a'})
	f.Add([]byte{0, 0, 0})
	f.Add([]byte{1, 2, 7, 0, 1, 0, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		var e, again Entry
		if e.Decode(b) != nil {
			return
		}
		encoded := e.Append(nil)
		if err := again.Decode(encoded); err != nil || !bytes.Equal(again.Append(nil), encoded) || again.Calls() != e.Calls() {
			t.Fatalf("%x changes to %x, %v", b, encoded, err)
		}
	})
}

// TestDamagedNews: an entry whose events are about attributes that it does not have is no
// entry.
func TestDamagedNews(t *testing.T) {
	attributes := []state.Change{{ID: 1}, {ID: 2}}
	for _, test := range []struct {
		news []News
		ok   bool
	}{
		{[]News{{0, 5}, {1, -5}}, true}, {[]News{{1, 5}}, true}, {[]News{{2, 5}}, false}, {[]News{{1, 5}, {0, 5}}, false}, {[]News{{0, 5}, {0, 5}}, false},
	} {
		e := Entry{Attributes: attributes, News: test.news}
		var back Entry
		if err := back.Decode(e.Append(nil)); (err == nil) != test.ok || test.ok && fmt.Sprint(back) != fmt.Sprint(e) {
			t.Errorf("%v: %v, %v", test.news, back, err)
		}
	}
}

// TestDamagedOrigins: an entry that says of some attributes only where they come from is no
// entry.
func TestDamagedOrigins(t *testing.T) {
	old := attr.OfString([]byte("silver"))
	for _, test := range []struct {
		origins []Origin
		ok      bool
	}{
		{nil, true}, {[]Origin{{old, 7}, {attr.Value{}, 0}}, true}, {[]Origin{{old, 7}}, false}, {make([]Origin, 3), false},
	} {
		e := Entry{Attributes: []state.Change{{ID: 1}, {ID: 2}}, Origins: test.origins}
		var back Entry
		if err := back.Decode(e.Append(nil)); (err == nil) != test.ok || test.ok && fmt.Sprint(back) != fmt.Sprint(e) {
			t.Errorf("%v: %v, %v", test.origins, back, err)
		}
	}
}

// TestCutTold: what is left of an entry is what calls that were made do not say.
func TestCutTold(t *testing.T) {
	whole := Entry{
		Attributes: []state.Change{{ID: 1}, {ID: 2}, {ID: 3}}, Origins: []Origin{{Line: 1}, {Line: 2}, {Line: 3}},
		Fields: []gleap.FieldText{{Field: gleap.Email, Text: []byte("a@x.io")}}, News: []News{{0, 5}, {2, 6}},
	}
	e := whole
	if e.CutTold(0); fmt.Sprint(e) != fmt.Sprint(whole) {
		t.Errorf("nothing was told: %v", e)
	}
	e.CutTold(1)
	if want := (Entry{Attributes: whole.Attributes[1:], Origins: whole.Origins[1:], News: []News{{1, 6}}}); fmt.Sprint(e) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", e, want)
	}
	if e.CutTold(2); len(e.Attributes)+len(e.Origins)+len(e.News) != 0 || len(whole.News) != 2 {
		t.Errorf("all was told: %v", e)
	}
}

// TestWantedHash: states of earlier versions have the hash.
func TestWantedHash(t *testing.T) {
	e := Entry{
		UserID:     []byte("u1"),
		Attributes: []state.Change{{ID: 3, Value: attr.OfBool(true)}, {ID: 300, Value: attr.OfString([]byte("gold"))}},
		Fields:     []gleap.FieldText{{Field: gleap.Email, Text: []byte("a@x.io")}},
		News:       []News{{0, 5}},
		Origins:    []Origin{{attr.OfBool(false), 7}, {}},
	}
	if got, want := e.WantedHash(), uint64(4043840989943034875); got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

func BenchmarkEntry(b *testing.B) {
	e := Entry{UserID: []byte("usr_0123456789abcdef")}
	for id := range uint32(10) {
		e.Attributes = append(e.Attributes, state.Change{ID: id, Value: attr.OfBool(true)})
	}
	encoded := e.Append(nil)
	b.SetBytes(int64(len(encoded)))
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		if err := e.Decode(encoded); err != nil {
			b.Fatal(err)
		}
		buf = e.Append(buf[:0])
	}
}
