package sync

import (
	"bytes"
	"testing"

	"gleapsync/internal/attr"
	"gleapsync/state"
)

// FuzzEntry: decode of append is the same entry, and no bytes panic.
func FuzzEntry(f *testing.F) {
	f.Add([]byte{2, 'u', '1', 1, 0, 3, 2, 1, 'a'})
	f.Add([]byte{0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var e, again entry
		if e.decode(b) != nil {
			return
		}
		encoded := e.append(nil)
		if err := again.decode(encoded); err != nil || !bytes.Equal(again.append(nil), encoded) || again.calls() != e.calls() {
			t.Fatalf("%x changes to %x, %v", b, encoded, err)
		}
	})
}

func BenchmarkEntry(b *testing.B) {
	e := entry{userID: []byte("usr_0123456789abcdef")}
	for id := range uint32(10) {
		e.attributes = append(e.attributes, state.Change{ID: id, Value: attr.OfBool(true)})
	}
	encoded := e.append(nil)
	b.SetBytes(int64(len(encoded)))
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		if err := e.decode(encoded); err != nil {
			b.Fatal(err)
		}
		buf = e.append(buf[:0])
	}
}
