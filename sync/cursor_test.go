package sync

import (
	"errors"
	"testing"

	"gleapsync/internal/extsort"
	"gleapsync/internal/inputs"
	"gleapsync/state"
)

// unchecked is rows and records in the order in which they stand, right or not.
type unchecked struct {
	ids     []string
	payload []byte
}

func (u *unchecked) pop() []byte {
	if len(u.ids) == 0 {
		return nil
	}
	id := u.ids[0]
	u.ids = u.ids[1:]
	return []byte(id)
}

type uncheckedRows struct{ unchecked }

func (u *uncheckedRows) Next() (userID, payload []byte, ok bool) {
	id := u.pop()
	return id, u.payload, id != nil
}
func (u *uncheckedRows) Err() error { return nil }

type uncheckedRecords struct {
	unchecked
	at []byte
}

func (u *uncheckedRecords) Next() bool     { u.at = u.pop(); return u.at != nil }
func (u *uncheckedRecords) UserID() []byte { return u.at }
func (u *uncheckedRecords) Record() []byte { return u.payload }
func (u *uncheckedRecords) Err() error     { return nil }

// TestOrderOfTheMerge: what does not come in the order of the user ids, or comes twice where it
// must not, ends the merge: it would make contacts look absent.
func TestOrderOfTheMerge(t *testing.T) {
	b, err := newWorld(t, inputs.Export{}).runner(t).recall(now(), inputs.Request{})
	if err != nil {
		t.Fatal(err)
	}
	in := inputs.New(b.Basis)
	if err := in.Read(t.Context(), func() {}); err != nil { // there is nothing to read
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		ids  []string
		fits bool // for all but rows, which may come twice
	}{
		"in order": {[]string{"u1", "u2", "u3"}, true}, "out of order": {[]string{"u1", "u3", "u2"}, false},
		"twice": {[]string{"u1", "u2", "u2"}, false}, "none": {nil, true},
	} {
		for from, isDamage := range map[string]error{
			"rows": extsort.ErrTemp, "records": state.ErrDamaged, "changes": state.ErrDamaged, "unanswered": state.ErrDamaged, "parked": state.ErrDamaged,
		} {
			p := &plan{basis: b, in: in, exports: in.All}
			pass := newPass(p, extsort.Span{}, p.file.Add(state.Turns{}, nil), nil)
			rows, records, changes := &uncheckedRows{}, &uncheckedRecords{}, &uncheckedRecords{}
			records.payload, changes.payload = []byte{0, 0, 0}, (&state.Said{}).Append(nil)
			switch from {
			case "rows":
				rows.ids = test.ids
			case "records":
				records.ids = test.ids
			case "changes":
				changes.ids = test.ids
			case "unanswered":
				for _, id := range test.ids {
					pass.unanswered = append(pass.unanswered, state.Unanswered{UserID: []byte(id)})
				}
			case "parked":
				for _, id := range test.ids {
					pass.parked = append(pass.parked, state.Parked{UserID: id})
				}
			}
			err := pass.run(t.Context(), extsort.NewMerger([]extsort.Stream{rows}, 0), in.All, records, changes)
			switch fits := test.fits || from == "rows" && name == "twice"; {
			case fits && err != nil:
				t.Errorf("%s %s: %v", from, name, err)
			case !fits && !errors.Is(err, isDamage):
				t.Errorf("%s %s: got %v, want %v", from, name, err, isDamage)
			}
		}
	}
}
