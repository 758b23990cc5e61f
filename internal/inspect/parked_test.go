package inspect

import (
	"reflect"
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
		{422, "b", 2, nil, at(1), at(9)},
		{400, "a", 1, nil, at(5), at(6)},
		{422, "c", 1, nil, at(2), at(2)},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

// TestGroupParkedEvents: so are events, whatever their names.
func TestGroupParkedEvents(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2026, 1, 1, hour, 0, 0, 0, time.UTC) }
	parked := func(name string, status int, reason string, date, last int) ParkedEvent {
		return ParkedEvent{Name: name, Status: status, Reason: reason, Date: at(date), Last: at(last)}
	}
	got := GroupParkedEvents([]ParkedEvent{parked("x", 400, "a", 5, 6), parked("x", 422, "b", 3, 4), parked("y", 422, "b", 1, 9), parked("x", 422, "b", 2, 2)})
	want := []ParkedGroup{
		{422, "b", 3, []string{"x", "y"}, at(1), at(9)},
		{400, "a", 1, []string{"x"}, at(5), at(6)},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}
