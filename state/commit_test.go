package state

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"gleapsync/internal/attr"
)

func TestCommit(t *testing.T) {
	s := newStore(t)
	if err := commit(s, []Acknowledgement{
		ack("u2", 0, attr.OfBool(true)), ack("u1", 0, attr.OfBool(true)), ack("u1", 1, attr.OfNumber([]byte("3"))),
	}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := commit(s, []Acknowledgement{ack("u2", 0, attr.OfBool(false)), ack("u1", 1, attr.OfNumber([]byte("4")))}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := dump(t, s), []string{"u1 0=true 1=4", "u2 0=false"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	o, err := open(t, s.path).Overview()
	if err != nil || o.Attributes[0].Members != 1 || o.Attributes[1].Members != 1 || o.Attributes[1].Key != "orders" {
		t.Errorf("overview %+v, %v", o, err)
	}
	info, _ := os.Stat(s.path)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v", info.Mode())
	}
}

func TestPartialAcknowledgement(t *testing.T) {
	s := newStore(t)
	if err := commit(s, []Acknowledgement{ack("u1", 0, attr.OfBool(false))}, nil, nil); err != nil {
		t.Fatal(err)
	}
	part := ack("u1", 0, attr.OfBool(true))
	part.Unpark, part.Epoch = false, 0
	part.Fields = []Field{{1, []byte("a@x.io")}}
	if err := commit(s, []Acknowledgement{part}, []Parked{{UserID: "u1", Status: 400, Last: time.Unix(1, 0)}}, nil); err != nil {
		t.Fatal(err)
	}
	c, err := s.Contact("u1")
	r := c.Record
	if err != nil || r.Epoch != 1 || len(r.Fields) != 1 || r.Fields[0] != s.FieldHash(1, []byte("a@x.io")) {
		t.Errorf("record %+v, %v", r, err)
	}
	if parked, _ := s.Parked(); len(parked) != 1 || parked[0].Attempts != 1 {
		t.Errorf("parked %+v", parked)
	}
	if err := commit(s, nil, []Parked{{UserID: "u1", Status: 422, Last: time.Unix(2, 0)}}, nil); err != nil {
		t.Fatal(err)
	}
	if parked, _ := s.Parked(); parked[0].Attempts != 2 || !parked[0].First.Equal(time.Unix(1, 0)) || parked[0].Status != 422 {
		t.Errorf("parked %+v", parked)
	}
	if err := s.Begin(nil, 5, nil); err != nil {
		t.Fatal(err)
	}
	part.Unpark, part.Epoch = true, 5
	if err := commit(s, []Acknowledgement{part}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if c, _ := s.Contact("u1"); c.Record.Epoch != 5 {
		t.Errorf("the complete record's epoch is %d", c.Record.Epoch)
	}
	if parked, _ := s.Parked(); len(parked) != 0 {
		t.Errorf("still parked: %+v", parked)
	}
}

func BenchmarkCommit(b *testing.B) {
	s := newStore(b)
	const batch = 10_000
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		acks := make([]Acknowledgement, batch)
		for i := range acks {
			acks[i] = ack(fmt.Sprintf("user-%09d", n), 0, attr.OfBool(true))
			n++
		}
		if err := commit(s, acks, nil, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/record")
}
