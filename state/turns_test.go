package state

import (
	"reflect"
	"testing"
	"time"

	"gleapsync/internal/attr"
)

// TestTurns: the turns are those of the last commit, an end clears them, and no contact stays
// in them that is forgotten.
func TestTurns(t *testing.T) {
	s := newStore(t)
	turns := func() Turns {
		t.Helper()
		o, err := s.Overview()
		if err != nil {
			t.Fatal(err)
		}
		return o.Turns
	}
	want := Turns{Classes: map[string]Turn{"change": {Last: "u7", Since: "r1"}, "first": {Since: "r2"}}, At: 3, Calls: 9}
	for _, step := range []struct {
		do   func() error
		want Turns
	}{
		{func() error { return nil }, Turns{}},
		{func() error { _, err := s.Commit(Delivery{Turns: &want}); return err }, want},
		{func() error { _, err := s.Commit(Delivery{}); return err }, want},
		{func() error { return s.Finish(Result{Run: "r2", Report: []byte("{}")}) }, want},
		{func() error { return s.Forget([]string{"u7"}) }, Turns{Classes: map[string]Turn{"change": {Since: "r1"}, "first": {Since: "r2"}}, At: 3, Calls: 9}},
		{func() error { return s.Finish(Result{Run: "r3", Report: []byte("{}"), Turns: &Turns{}}) }, Turns{}},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if got := turns(); !reflect.DeepEqual(got, step.want) {
			t.Errorf("%+v, want %+v", got, step.want)
		}
		if _, err := Verify(s); err != nil {
			t.Error(err)
		}
	}
}

// TestSentAgain: a value that was sent again and did not change keeps the time since when it
// stands.
func TestSentAgain(t *testing.T) {
	s := newStore(t)
	at := time.Unix(1_800_000_000, 0)
	for _, step := range []struct {
		value attr.Value
		after time.Duration
		since time.Duration
	}{
		{attr.OfBool(true), 0, 0},
		{attr.OfBool(true), time.Hour, 0},
		{attr.OfBool(false), 2 * time.Hour, 2 * time.Hour},
		{attr.OfBool(false), 3 * time.Hour, 2 * time.Hour},
		{attr.OfBool(true), 4 * time.Hour, 4 * time.Hour},
	} {
		ack := Acknowledgement{UserID: []byte("u1"), At: at.Add(step.after), Attributes: []Change{{0, step.value}}}
		if _, err := s.Commit(Delivery{Acks: []Acknowledgement{ack}}); err != nil {
			t.Fatal(err)
		}
		c, err := s.Contact("u1")
		r := c.Record
		if k := r.Find(0); err != nil || k.At != at.Add(step.since).Unix() || r.Acknowledged != at.Add(step.after).Unix() || !k.Value.Equal(step.value) {
			t.Errorf("after %s: %+v, %v", step.after, r, err)
		}
	}
	if v, err := Verify(s); err != nil || v.Contacts != 1 {
		t.Errorf("%+v, %v", v, err)
	}
}
