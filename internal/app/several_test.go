package app

import (
	"errors"
	"fmt"
	"testing"

	"gleapsync/gleap"
	"gleapsync/internal/projects"
	"gleapsync/state"
	"gleapsync/sync"
)

// TestWorst: of several projects the gravest end is that of the command, in whatever order they
// come, and those for whom the report has said enough are not told again.
func TestWorst(t *testing.T) {
	ends := []error{
		nil, ErrParked, ErrHeld, &state.LockedError{}, &gleap.UnreachableError{}, errors.New("no such file"), fmt.Errorf("x: %w", sync.ErrInterrupted),
	}
	for i, less := range ends {
		for _, more := range ends[i:] {
			for _, order := range [][]error{{less, more}, {more, less}} {
				var e severalError
				for _, err := range order {
					e.add(&projects.Project{Name: "acme", Path: "a.toml"}, err)
				}
				if got := e.err(); gradeOf(got) != gradeOf(more) || (got == nil) != (more == nil) {
					t.Errorf("%v: %v, want %v", order, got, more)
				}
			}
		}
	}
	var e severalError
	e.add(&projects.Project{Path: "a.toml"}, errors.New("a.toml:3: wrong\na.toml:4: too"))
	e.add(&projects.Project{Name: "bolt", Path: "b.toml"}, errors.New("no token"))
	e.add(&projects.Project{Name: "corp", Path: "c.toml"}, ErrHeld)
	if got, want := e.Error(), "a.toml:3: wrong\na.toml:4: too\nbolt: no token"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
