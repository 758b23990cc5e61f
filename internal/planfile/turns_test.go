package planfile

import (
	"testing"

	"pgregory.net/rapid"

	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// counts returns what a run of so many calls makes of each class.
func (t *turns) counts(left [runs.Classes]int, calls int) (made [runs.Classes]int) {
	for range calls {
		class := t.next(left)
		if class == runs.Classes {
			break
		}
		left[class]--
		made[class]++
		t.took(1)
	}
	return made
}

func leftOver(of ...runs.Class) state.Turns {
	t := state.Turns{Classes: map[string]state.Turn{}, Calls: 100}
	for _, class := range of {
		t.Classes[class.String()] = state.Turn{Since: "run"}
	}
	return t
}

func TestTurns(t *testing.T) {
	for _, test := range []struct {
		name   string
		before []runs.Class
		left   [runs.Classes]int
		calls  int
		want   [runs.Classes]int
	}{
		{"by rank", nil, [runs.Classes]int{3, 2, 100, 100}, 10, [runs.Classes]int{3, 2, 5, 0}},
		{"a tenth", []runs.Class{runs.ClassChange}, [runs.Classes]int{1000, 1000, 1000, 1000}, 100, [runs.Classes]int{90, 0, 10, 0}},
		{"a tenth of each", []runs.Class{runs.ClassEntry, runs.ClassChange, runs.ClassFirst}, [runs.Classes]int{1000, 1000, 1000, 1000}, 100, [runs.Classes]int{70, 10, 10, 10}},
		{"no more than there is", []runs.Class{runs.ClassChange}, [runs.Classes]int{1000, 0, 3, 0}, 100, [runs.Classes]int{97, 0, 3, 0}},
		{"nine tenths are for memberships", []runs.Class{runs.ClassChange, runs.ClassFirst}, [runs.Classes]int{50, 40, 1000, 1000}, 100, [runs.Classes]int{50, 40, 5, 5}},
		{"and are more than they need", []runs.Class{runs.ClassChange, runs.ClassFirst}, [runs.Classes]int{20, 20, 1000, 1000}, 100, [runs.Classes]int{20, 20, 50, 10}},
		{"the end", []runs.Class{runs.ClassFirst}, [runs.Classes]int{1, 1, 1, 1}, 100, [runs.Classes]int{1, 1, 1, 1}},
	} {
		turns := newTurns(leftOver(test.before...), test.left)
		if got := turns.counts(test.left, test.calls); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	// With one call in a run each class has its turn within ten runs.
	before := leftOver(runs.ClassEntry, runs.ClassChange, runs.ClassFirst)
	var made [runs.Classes]int
	for range 20 {
		turns := newTurns(before, [runs.Classes]int{1000, 1000, 1000, 1000})
		for class, n := range turns.counts([runs.Classes]int{1000, 1000, 1000, 1000}, 1) {
			made[class] += n
		}
		before.At, before.Calls = turns.at, 1
	}
	if want := [runs.Classes]int{14, 2, 2, 2}; made != want {
		t.Errorf("one call in a run: %v, want %v", made, want)
	}
}

// TestTinyRoomsOfMemberships: nor are they starved where the memberships of each run just fit
// into nine tenths, and changes and first deliveries share a tenth.
func TestTinyRoomsOfMemberships(t *testing.T) {
	rounds.Check(t, func(r *rapid.T) {
		before := leftOver(runs.ClassChange, runs.ClassFirst)
		before.Calls = 0
		since := [runs.Classes]int{} // calls since the last one of the class
		for range 100 {
			left := [runs.Classes]int{rapid.IntRange(0, 9).Draw(r, "exits"), rapid.IntRange(0, 9).Draw(r, "entries"), 1000, 1000}
			room := rapid.IntRange(1, 9).Draw(r, "room")
			turns := newTurns(before, left)
			for range room {
				class := turns.next(left)
				left[class]--
				turns.took(1)
				for c := range since {
					since[c]++
				}
				since[class] = 0
			}
			if since[runs.ClassChange] > Round || since[runs.ClassFirst] > Round {
				r.Fatalf("calls without one of the class: %v", since)
			}
			before.At, before.Calls = turns.at, room
		}
	})
}
