package state

import (
	"bytes"
	"testing"

	"gleapsync/internal/attr"
)

func TestRecordIsSmall(t *testing.T) {
	r := Record{Acknowledged: 1_800_000_000, Epoch: 1}
	for id := range uint32(10) {
		r.set(Known{ID: id, At: r.Acknowledged, Value: attr.OfBool(true)})
	}
	if size := len(r.append(nil)); size != 37 { // 5 + 1 + 1 + 10 × 3
		t.Errorf("ten audiences take %d bytes", size)
	}
}

func TestRecordKeepsTimes(t *testing.T) {
	r := Record{Acknowledged: 2000, Epoch: 3}
	r.set(Known{7, 2000, attr.OfString([]byte("gold"))})
	r.set(Known{2, 500, attr.OfBool(true)})
	var got Record
	if err := got.Decode(r.append(nil)); err != nil {
		t.Fatal(err)
	}
	if k := got.Find(2); k.At != 500 || k.Value.Kind() != attr.True {
		t.Errorf("attribute 2 is %+v", k)
	}
	if k := got.Find(7); k.At != 2000 || k.Value.String() != "gold" {
		t.Errorf("attribute 7 is %+v", k)
	}
	if k := got.Find(3); k.Value.Kind() != attr.None {
		t.Errorf("attribute 3 is %+v", k)
	}
}

func FuzzRecord(f *testing.F) {
	s := &Store{file: file{salt: make([]byte, 32)}}
	r := Record{Acknowledged: 1_800_000_000, Epoch: 2}
	r.set(Known{1, 1_799_999_000, attr.OfNumber([]byte("12.5"))})
	r.set(Known{300, 1_800_000_000, attr.OfBool(false)})
	r.setField(s.FieldHash(1, []byte("a@x.io")))
	f.Add(r.append(nil))
	f.Add([]byte{1, 1, 0})
	f.Add([]byte{1, 1, 255, 255, 255, 255, 15, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var r, again Record
		if r.Decode(b) != nil {
			return
		}
		encoded := r.append(nil)
		if err := again.Decode(encoded); err != nil {
			t.Fatalf("%x decodes, its encoding %x does not: %v", b, encoded, err)
		}
		if !bytes.Equal(again.append(nil), encoded) || len(r.Attributes) != len(again.Attributes) {
			t.Fatalf("%x changes to %x", b, encoded)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	r := Record{Acknowledged: 1_800_000_000, Epoch: 1}
	for id := range uint32(10) {
		r.set(Known{ID: id, At: r.Acknowledged - int64(id), Value: attr.OfBool(true)})
	}
	encoded := r.append(nil)
	b.SetBytes(int64(len(encoded)))
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		if err := r.Decode(encoded); err != nil {
			b.Fatal(err)
		}
		buf = r.append(buf[:0])
	}
}
