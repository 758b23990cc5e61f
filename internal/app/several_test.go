package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleapsync/gleap"
	"gleapsync/internal/console"
	"gleapsync/internal/projects"
	"gleapsync/internal/runs"
	"gleapsync/state"
	"gleapsync/sync"
)

// TestInterrupted: after a signal the projects whose turn has not come are not begun, and that is
// said of each.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		text := fmt.Sprintf("project = %q\nstate.path = \"%s.db\"\ngleap.base_url = \"sandbox\"\n[[audience]]\nname = \"VIP\"\nsource = \"vip.csv\"\n", name, name)
		if err := os.WriteFile(filepath.Join(dir, name+".toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	a := newApp(flags{Config: filepath.Join(dir, "*.toml"), LogLevel: "error", Output: "json"}, "", &out, os.Stderr)
	defer a.Close()
	ctx, interrupt := context.WithCancelCause(t.Context())
	begun := 0
	err := a.each(ctx, "", console.OfSync, func(_ context.Context, a *App) (runs.Report, error) {
		begun++
		interrupt(sync.ErrInterrupted)
		return runs.Report{}, a.print(runs.Report{}, nil)
	})
	if said := strings.Count(out.String(), `,"error":"interrupted"}`+"\n"); begun != 1 || gradeOf(err) != interrupted || said != 2 {
		t.Errorf("%d begun, %v, %s", begun, err, out.String())
	}
}

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
