package sync

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/damping"
	"gleapsync/internal/inputs"
	"gleapsync/internal/rowlist"
	"gleapsync/internal/values"
	"gleapsync/state"
)

// TestDeltaUnanswered: a contact that Gleap may have, and refuses since, counts for the guard as if
// all was read. So does one of whom the export says nothing any more.
func TestDeltaUnanswered(t *testing.T) {
	type day struct {
		rows   string
		client failingClient
		parked int
		deltas int
	}
	unreachable := failingClient{at: 1, fault: &gleap.UnreachableError{Last: "fault"}}
	for name, days := range map[string][]day{
		"refused": {
			{"u1,x\nu2,x\n", failingClient{}, 0, 0},
			{"u1,x\nu2,x\nu3,x\n", unreachable, 0, 1},
			{"u1,x\nu2,x\nu3,x\nu4,x\n", failingClient{refused: []string{"u3"}}, 1, 0}, // it has no list, and b is not read
			{"u1,x\nu3,x\n", failingClient{refused: []string{"u3"}}, 1, 2},
			{"u1,x\nu5,x\n", failingClient{}, 0, 2},
		},
		"unsaid": {
			{"u1,x\nu2,x\n", failingClient{}, 0, 0},
			{"u1,x\nu2,x\nu3,x\n", unreachable, 0, 1},
			{"u1,x\nu2,x\nu3,\n", failingClient{}, 0, 0},
			{"u1,y\nu2,x\nu3,\n", failingClient{}, 0, 1},
			{"u1,y\nu2,x\nu3,y\n", failingClient{}, 0, 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, trait("t.csv", "t"), audience("b.csv", "b"))
			w.options.Exports[0].ClearMissing = true
			w.write(t, "b.csv", list("u1"))
			for i, day := range days {
				w.write(t, "t.csv", "user_id,value\n"+day.rows)
				if deltas := w.mustPlanAlike(t, inputs.Request{}); deltas != day.deltas {
					t.Errorf("day %d: %d deltas", i, deltas)
				}
				r := w.runner(t)
				day.client.client = r.client
				r.client = &day.client
				report, err := r.Sync(t.Context(), inputs.Request{})
				if (err != nil) != (day.client.fault != nil) || report.Contacts.Parked != day.parked {
					t.Fatalf("day %d: %+v: %v", i, report.Contacts, err)
				}
				if err := inputs.VerifyLists(r.store); err != nil {
					t.Errorf("day %d: %v", i, err)
				}
			}
		})
	}
}

// TestListOfFirstDelivery: once a first delivery is acknowledged the list has notes of those only whom
// Gleap refused.
func TestListOfFirstDelivery(t *testing.T) {
	w := newWorld(t, trait("t.csv", "t"))
	w.write(t, "t.csv", "user_id,value\nu1,x\nu2,x\nu3,x\n")
	r := w.runner(t)
	r.client = &failingClient{client: r.client, refused: []string{"u2"}}
	if _, err := r.Sync(t.Context(), inputs.Request{}); err != nil {
		t.Fatal(err)
	}
	lists := w.lists()
	if len(lists) != 1 {
		t.Fatalf("there are %q", lists)
	}
	state, id, _ := strings.Cut(lists[0], ".rows-")
	list, err := rowlist.Open(state, id)
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	var noted []string
	for row := list.Next(); row != nil; row = list.Next() {
		if len(row.Notes) > 0 {
			noted = append(noted, string(row.UserID))
		}
	}
	if list.Err() != nil || !slices.Equal(noted, []string{"u2"}) {
		t.Errorf("there are notes of %q: %v", noted, list.Err())
	}
	if err := inputs.VerifyLists(r.store); err != nil {
		t.Error(err)
	}
}

// TestDeltaWaits: as long as a whole reading would find something to do for who does not differ,
// all is read.
func TestDeltaWaits(t *testing.T) {
	table := func() inputs.Export {
		return inputs.Export{Export: engage.Export{Source: "t.csv", Attributes: []engage.Attribute{{Kind: engage.Trait, Key: "t", Column: "t", Type: values.Number}}}}
	}
	day1 := map[string]string{"known.csv": list("u1", "u2"), "t.csv": "user_id,t,email\nu1,100,\nu2,100,\nu3,,y@x.io\n", "a.csv": list("u1")}
	for name, c := range map[string]struct {
		prepare func(*world)
		refused int // call
		day2    map[string]string
		between func(*testing.T, *world)
		day3    map[string]string
		deltas  int
	}{
		"not at all": {
			day2:   map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,100,\nu3,,y@x.io\n"},
			day3:   map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,200,\nu3,,y@x.io\n", "a.csv": list("u1", "u3")},
			deltas: 2,
		},
		"contact fields": {
			prepare: func(w *world) { w.options.Fields = []inputs.Field{{Field: gleap.Email, Columns: []string{"email"}}} },
			day2:    map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,100,\nu3,,y@x.io\n"},
			day3:    map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,200,\nu3,,y@x.io\n", "a.csv": list("u1", "u3")},
			deltas:  1, // u3 gets its e-mail address along with a
		},
		"contact fields of what changes alone": {
			prepare: func(w *world) { w.options.Fields = []inputs.Field{{Field: gleap.Email, Columns: []string{"email"}}} },
			day2:    map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,100,\nu3,,y@x.io\n"},
			day3:    map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,200,z@x.io\nu3,,y@x.io\n"},
			deltas:  1,
		},
		"a damped value": {
			prepare: func(w *world) {
				w.options.Exports[0].Damping = map[string]damping.Rule{"": {Tolerance: damping.Tolerance{Share: 0.1}}}
			},
			day2:   map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,100,\nu3,,y@x.io\n"},
			day3:   map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,200,\nu3,,y@x.io\n", "a.csv": list("u2")},
			deltas: 1, // u1's value goes along with its exit
		},
		"a parked contact": {
			refused: 1,
			day2:    map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,100,\nu3,,y@x.io\n"},
			day3:    map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,200,\nu3,,y@x.io\n"},
			deltas:  2, // the other export is read for what was refused as a whole
		},
		"contact fields and a parked contact": {
			prepare: func(w *world) { w.options.Fields = []inputs.Field{{Field: gleap.Email, Columns: []string{"email"}}} },
			refused: 1,
			day2:    map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,100,\nu3,,y@x.io\n"},
			day3:    map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,200,z@x.io\nu3,,y@x.io\n"},
			deltas:  2,
		},
		"contact fields, a parked contact, and another change": {
			prepare: func(w *world) { w.options.Fields = []inputs.Field{{Field: gleap.Email, Columns: []string{"email"}}} },
			refused: 1,
			day2:    map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,100,\nu3,,y@x.io\n"},
			day3:    map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,200,\nu3,,y@x.io\n", "a.csv": list("u1", "u3")},
			deltas:  1,
		},
		"a parked contact that is tried again": {
			refused: 1,
			day2:    map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,100,\nu3,,y@x.io\n"},
			between: func(t *testing.T, w *world) {
				if n, _, err := state.Unpark(w.runner(t).store); n != 1 || err != nil {
					t.Fatal(n, err)
				}
			},
			day3: map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,200,\nu3,,y@x.io\n"},
		},
		"withheld exits": {
			day2: map[string]string{"a.csv": list("u2", `u3"`)},
			day3: map[string]string{"a.csv": list("u2")},
		},
		"a cell that cannot be read": {
			day2: map[string]string{"t.csv": "user_id,t,email\nu1,x,\nu2,100,\nu3,,y@x.io\n"},
			day3: map[string]string{"t.csv": "user_id,t,email\nu1,x,\nu2,200,\nu3,,y@x.io\n"},
		},
		"a row with a cell more": {
			day2: map[string]string{"t.csv": "user_id,t,email\nu1,105,,\nu2,100,\nu3,,y@x.io\n"},
			day3: map[string]string{"t.csv": "user_id,t,email\nu1,105,,\nu2,200,\nu3,,y@x.io\n"},
		},
		"a contact that is to be sent again": {
			day2: map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,100,\nu3,,y@x.io\n"},
			between: func(t *testing.T, w *world) {
				if unknown, err := state.Resend(w.runner(t).store, []string{"u1"}); err != nil || len(unknown) > 0 {
					t.Fatal(unknown, err)
				}
			},
			day3:   map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,200,\nu3,,y@x.io\n"},
			deltas: 2,
		},
		"a contact that is forgotten": {
			day2: map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,100,\nu3,,y@x.io\n"},
			between: func(t *testing.T, w *world) {
				if _, err := w.runner(t).Forget(t.Context(), []string{"u1"}); err != nil || len(w.lists()) > 0 {
					t.Fatal(w.lists(), err)
				}
			},
			day3: map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,200,\nu3,,y@x.io\n"},
		},
		"a contact that no list of known ones has": {
			prepare: func(w *world) { w.withLists("known.csv") },
			day2:    map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,100,\nu9,7,\n"},
			day3:    map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,200,\nu9,7,\n"},
		},
		"other settings": {
			day2:    map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,100,\nu3,,y@x.io\n"},
			between: func(_ *testing.T, w *world) { w.options.Exports[0].ClearMissing = true },
			day3:    map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,200,\nu3,,y@x.io\n"},
		},
		"another order of the columns": {
			day3: map[string]string{"t.csv": "user_id,email,t\nu1,,100\nu2,,200\nu3,y@x.io,\n"},
		},
		"a file of another name, in another folder": {
			day2: map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,100,\nu3,,y@x.io\n", "a.csv": list("u1", "u3")},
			between: func(t *testing.T, w *world) {
				if err := os.Mkdir(filepath.Join(w.dir, "next"), 0o700); err != nil {
					t.Fatal(err)
				}
				w.options.Exports[0].Source, w.options.Exports[1].Dir = "next/t*.csv", filepath.Join(w.dir, "next")
				w.options.Exports[0].Pick = engage.PickNewest
			},
			day3:   map[string]string{"next/t.csv": "user_id,t,email\nu1,105,\nu2,200,\nu3,,y@x.io\n", "next/a.csv": list("u1", "u2")},
			deltas: 2,
		},
		"another type": {
			day2:    map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,100,\nu3,,y@x.io\n"},
			between: func(_ *testing.T, w *world) { w.options.Exports[0].Attributes[0].Type = values.Text },
			day3:    map[string]string{"t.csv": "user_id,t,email\nu1,105,\nu2,200,\nu3,,y@x.io\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, table(), audience("a.csv", "a"))
			w.options.Guard.MaxInvalid = limit("100%")
			if c.prepare != nil {
				c.prepare(w)
			}
			write := func(day map[string]string) {
				for file, text := range day {
					w.write(t, file, text)
				}
			}
			write(day1)
			w.sync(t, inputs.Request{})
			write(c.day2)
			r := w.runner(t)
			if c.refused > 0 {
				r.client = &failingClient{client: r.client, at: int32(c.refused), fault: &gleap.RefusedError{Status: 422}}
			}
			if _, err := r.Sync(t.Context(), inputs.Request{}); err != nil {
				t.Fatal(err)
			}
			if c.between != nil {
				c.between(t, w)
			}
			write(c.day3)
			if deltas := w.mustPlanAlike(t, inputs.Request{}); deltas != c.deltas {
				t.Errorf("%d exports were read as deltas, want %d", deltas, c.deltas)
			}
			if report := w.sync(t, inputs.Request{}); c.refused == 0 && report.Contacts.Parked > 0 {
				t.Errorf("%+v", report.Contacts)
			}
			if deltas := w.mustPlanAlike(t, inputs.Request{Full: true}); deltas != 0 {
				t.Error("a full resync reads deltas")
			}
		})
	}
}
