package sync

import (
	"testing"

	"gleapsync/gleap"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
)

// TestParkedIsNoChange: what is wanted of a contact that stays parked is no change in reports. It
// is one again where the contact is tried, and guards count its exit all the while.
func TestParkedIsNoChange(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"), trait("t.csv", "t"))
	w.options.Guard.MaxExits, w.options.Guard.MinExits = limit("50%"), 0
	w.write(t, "a.csv", list("u1", "u2"))
	w.write(t, "t.csv", "user_id,value\nu1,1\n")
	w.sync(t, inputs.Request{})
	f := &fakeGleap{keep: true, after: func(int) error { return &gleap.RefusedError{Status: 422} }}
	refused := func(want [3]int) {
		t.Helper()
		report, err := w.with(t, f).Sync(t.Context(), inputs.Request{})
		if err != nil {
			t.Fatal(err)
		}
		if got := changesIn(report); got != want || report.Contacts.Parked != 2 {
			t.Errorf("%v, want %v: %+v", got, want, report.Contacts)
		}
	}
	write := func(audience, traits string) {
		t.Helper()
		w.write(t, "a.csv", audience)
		w.write(t, "t.csv", traits)
	}
	write(list("u2", "u3"), "user_id,value\nu1,2\n")
	refused([3]int{1, 1, 1}) // u3 enters, u1 leaves and has another value
	refused([3]int{})
	write(list("u2", "u3"), "user_id,value\nu1,3\n")
	refused([3]int{0, 1, 1}) // u1 is tried again
	refused([3]int{})
	write(list("u3"), "user_id,value\nu1,3\n") // the exit of u1 is one of two
	report, err := w.with(t, f).Sync(t.Context(), inputs.Request{})
	if err != nil || report.Exports[0].Status != runs.StatusHeld || report.Exports[0].Exited != 2 {
		t.Errorf("%+v, %v", report.Exports[0], err)
	}
}

// changesIn returns how many entered, left and changed in all.
func changesIn(report runs.Report) (n [3]int) {
	for _, e := range report.Exports {
		n[0], n[1], n[2] = n[0]+e.Entered, n[1]+e.Exited, n[2]+e.Changed
	}
	return n
}
