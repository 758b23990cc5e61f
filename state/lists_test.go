package state

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gleapsync/internal/attr"
)

// TestListsAreDropped: after whatever makes the records say less than Gleap was told, or the
// exports have to be read again, the state refers to no list of rows.
func TestListsAreDropped(t *testing.T) {
	for _, c := range []struct {
		name string
		drop func(s *Store) error
	}{
		{"another delivery begins", func(s *Store) error {
			o, err := s.Overview()
			a := o.Attributes[0]
			a.Applied = Applied{AsOf: a.Applied.At.AddDate(0, 0, 1)}
			if err != nil {
				return err
			}
			return s.Begin([]Attribute{a}, 1, nil)
		}},
		{"a contact is forgotten", func(s *Store) error { return s.Forget([]string{"u1"}) }},
		{"a parked contact is to be tried again", func(s *Store) error {
			release, err := s.Lock()
			if err != nil {
				return err
			}
			defer release()
			_, _, err = Unpark(s, "u2")
			return err
		}},
		{"a call to a parked contact is acknowledged", func(s *Store) error {
			acknowledged := ack("u2", 0, attr.OfBool(true))
			acknowledged.Unpark = true
			return commit(s, []Acknowledgement{acknowledged}, nil, nil)
		}},
		{"nothing is wanted of a parked contact", func(s *Store) error {
			return s.Finish(Result{Run: "2", Report: []byte("{}"), Unpark: []string{"u2"}})
		}},
		{"a backup is restored", func(s *Store) error {
			backup := filepath.Join(t.TempDir(), "backup.db")
			if err := Backup(s, backup); err != nil {
				return err
			}
			release, err := s.Lock()
			if err != nil {
				return err
			}
			defer release()
			_, err = Restore(s, backup, false)
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStore(t)
			if err := commit(s, []Acknowledgement{ack("u1", 0, attr.OfBool(true))}, []Parked{{UserID: "u2"}}, nil); err != nil {
				t.Fatal(err)
			}
			at := time.Now().AddDate(0, 0, -1)
			if err := s.Finish(Result{Run: "1", Report: []byte("{}"), Applied: map[uint32]Applied{0: {Fingerprint: "f", At: at, AsOf: at, List: "l"}}}); err != nil {
				t.Fatal(err)
			}
			if o, err := s.Overview(); err != nil || o.Attributes[0].Applied.List != "l" {
				t.Fatalf("%v: %v", o.Attributes, err)
			}
			if err := c.drop(s); err != nil {
				t.Fatal(err)
			}
			if o, err := s.Overview(); err != nil || o.Attributes[0].Applied.List != "" {
				t.Errorf("%v: %v", o.Attributes, err)
			}
		})
	}
}

func TestFindRecords(t *testing.T) {
	s := newStore(t)
	var acks []Acknowledgement
	for i := range 4000 {
		acks = append(acks, ack(fmt.Sprintf("u%04d", i), 0, attr.OfBool(i%3 == 0)))
	}
	if err := commit(s, acks, nil, nil); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for r := s.Records(); r.Next(); {
		all[string(r.UserID())] = string(r.Record())
	}
	n := 0
	found := FindRecords(s, func() ([]byte, error) {
		if n += 2; n > 9000 {
			return nil, nil
		}
		return fmt.Appendf(nil, "u%04d", n), nil
	})
	got, last := 0, []byte(nil)
	for ; found.Next(); got++ {
		if string(found.Record()) != all[string(found.UserID())] || bytes.Compare(last, found.UserID()) >= 0 {
			t.Fatalf("%s has another record", found.UserID())
		}
		last = slices.Clone(found.UserID())
	}
	if got != 1999 || found.Err() != nil {
		t.Errorf("%d records were found: %v", got, found.Err())
	}
}
