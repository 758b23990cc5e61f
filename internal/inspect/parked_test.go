package inspect

import (
	"slices"
	"testing"
	"time"

	"gleapsync/state"
)

// TestGroupParked: contacts with the same answer are one group, from the first to the last.
func TestGroupParked(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2026, 1, 1, hour, 0, 0, 0, time.UTC) }
	parked := func(id string, status int, reason string, first, last int) ParkedContact {
		return ParkedContact{id, state.Parked{Status: status, Reason: reason, First: at(first), Last: at(last)}}
	}
	got := GroupParked([]ParkedContact{parked("u1", 400, "a", 5, 6), parked("u2", 422, "b", 3, 4), parked("u3", 422, "b", 1, 9), parked("u4", 422, "c", 2, 2)})
	want := []ParkedGroup{
		{422, "b", []string{"u2", "u3"}, at(1), at(9)},
		{400, "a", []string{"u1"}, at(5), at(6)},
		{422, "c", []string{"u4"}, at(2), at(2)},
	}
	if !slices.EqualFunc(got, want, func(a, b ParkedGroup) bool {
		return a.Status == b.Status && a.Reason == b.Reason && slices.Equal(a.UserIDs, b.UserIDs) && a.First.Equal(b.First) && a.Last.Equal(b.Last)
	}) {
		t.Errorf("%+v", got)
	}
}
