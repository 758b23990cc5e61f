package state

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"gleapsync/internal/attr"
	"gleapsync/internal/rounds"
)

// TestTwin: what was different from the twin makes a copy of the state from it, whatever was
// written in between, as changes or as a whole.
func TestTwin(t *testing.T) {
	rounds.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "twin")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		path := filepath.Join(dir, "state.db")
		s, err := Open(Options{Path: path, Project: "acme"})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Begin([]Attribute{{ID: 0, Key: "vip", Name: "vip", Kind: "audience"}}, 1, nil); err != nil {
			t.Fatal(err)
		}
		near, far := TwinOf(path), TwinAt(filepath.Join(dir, "far.db"))
		whole := true
		for range rapid.IntRange(1, 6).Draw(t, "rounds") {
			for range rapid.IntRange(0, 4).Draw(t, "commits") {
				act(t, s)
			}
			whole = whole || rapid.Bool().Draw(t, "whole")
			var all []Entry
			most := rapid.SampledFrom([]int{-1, 300, 1 << 20}).Draw(t, "most")
			if whole {
				most = -1
			}
			_, _, copied, err := near.Compare(s, whole, most, func(e Entry) error {
				all = append(all, Entry{clone(e.Bucket), clone(e.Key), clone(e.Value)})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			next := func() func() (Entry, error) {
				left := all
				return func() (Entry, error) {
					if len(left) == 0 {
						return Entry{}, io.EOF
					}
					e := left[0]
					left = left[1:]
					return e, nil
				}
			}
			note := []byte(rapid.StringN(1, 9, -1).Draw(t, "note"))
			if copied {
				err = near.Take(note)
			} else {
				err = near.Change(note, next())
			}
			if err == nil && whole {
				err = far.Build(note, next())
			} else if err == nil {
				err = far.Change(note, next())
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, twin := range []Twin{near, far} {
				if _, _, _, err := twin.Compare(s, false, 1<<30, func(e Entry) error { t.Fatalf("%s differs in %q", e.Bucket, e.Key); return nil }); err != nil {
					t.Fatal(err)
				}
				if got, err := twin.Note(); err != nil || string(got) != string(note) {
					t.Fatalf("the note is %q, %v, want %q", got, err, note)
				}
			}
			whole = false
		}
		// It is a state like any other.
		o := Options{Path: filepath.Join(dir, "adopted.db"), Project: "acme"}
		if err := far.Adopt(o, []Announced{{Unanswered: Unanswered{UserID: []byte("new"), Attributes: []Change{{ID: 0, Value: attr.OfBool(true)}}}}}); err != nil {
			t.Fatal(err)
		}
		adopted, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(adopted); err != nil {
			t.Fatal(err)
		}
		if overview, err := adopted.Overview(); err != nil || len(overview.Unanswered) == 0 {
			t.Fatalf("%v, %v", overview.Unanswered, err)
		}
		if err := adopted.view(func(tx *bbolt.Tx) error {
			if tx.Bucket(bucketNote) != nil {
				t.Fatal("the note is in the state")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	})
}

// clone keeps nil and empty apart.
func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

// act writes something to a state.
func act(t *rapid.T, s *Store) {
	id := []byte(rapid.SampledFrom([]string{"u1", "u2", "u3", "u4", "u5"}).Draw(t, "id"))
	value := []Change{{ID: 0, Value: attr.OfBool(rapid.Bool().Draw(t, "value"))}}
	var err error
	switch rapid.IntRange(0, 5).Draw(t, "what") {
	case 0:
		err = s.Forget([]string{string(id)})
	case 1:
		_, err = s.Commit(Delivery{Announced: []Announced{{Unanswered: Unanswered{id, value}}}})
	case 2:
		_, err = s.Commit(Delivery{Parked: []Parked{{UserID: string(id), Status: 400, Reason: "no"}}})
	case 3:
		err = s.AbsorbEvents(NewEvents{Events: []Event{{UserID: id, At: 7, ID: 9, JSON: []byte("{}")}}})
	default:
		_, err = s.Commit(Delivery{Acks: []Acknowledgement{{UserID: id, At: time.Unix(1e9, 0), Attributes: value, Last: true}}})
	}
	if err != nil {
		t.Fatal(err)
	}
}
