package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"gleapsync/gleap"
	"gleapsync/internal/config"
	"gleapsync/internal/console"
	"gleapsync/internal/human"
	"gleapsync/internal/projects"
	"gleapsync/internal/runs"
	"gleapsync/state"
	"gleapsync/sync"
)

// each carries a command out: once, or for each project in turn if --config is a pattern.
// alone names the flag that is for one project and was given, "" if none was.
func (a *App) each(ctx context.Context, alone string, shown console.Columns, one func(context.Context, *App) (runs.Report, error)) error {
	if !projects.IsPattern(a.flags.Config) {
		_, err := one(ctx, a)
		return err
	}
	if alone != "" {
		return &UsageError{fmt.Errorf("%s is for one project, and --config %s stands for several: name the configuration of one", alone, a.flags.Config)}
	}
	all, err := a.projects()
	if err != nil {
		return err
	}
	var ended []console.Project
	worst := &severalError{}
	turn := func(ctx context.Context, a *App) (runs.Report, error) {
		if ctx.Err() != nil { // its turn does not come any more
			return runs.Report{}, context.Cause(ctx)
		}
		return one(ctx, a)
	}
	for _, p := range all {
		report, err := a.of(p).oneOf(ctx, p, turn)
		worst.add(p, err)
		ended = append(ended, console.Project{Name: p.Name, Config: p.Path, Result: grades[gradeOf(err)], Report: report})
	}
	if !a.asJSON() {
		var text bytes.Buffer
		console.Projects(a.screen(&text), ended, shown)
		if _, err := a.out.Write(text.Bytes()); err != nil {
			return err
		}
	}
	return worst.err()
}

// projects reads the configurations that --config stands for.
func (a *App) projects() ([]*projects.Project, error) {
	return projects.Load(a.flags.Config, func(path string) (*config.Config, error) {
		one := *a
		one.flags.Config = path
		return one.config()
	})
}

// of returns an app for one of several projects. It draws no bar: one that is gone does not
// come back.
func (a *App) of(p *projects.Project) *App {
	one := *a
	one.flags.Config, one.named = p.Path, p.Path
	one.read = func(string) (*config.Config, error) { return p.Config, p.Err }
	one.log = newLog(a.flags, a.errs, p.Path).With("project", p.Label())
	one.bar = nil
	return &one
}

// oneOf carries a command out for one of several projects. As JSON each is one line.
func (a *App) oneOf(ctx context.Context, p *projects.Project, one func(context.Context, *App) (runs.Report, error)) (runs.Report, error) {
	out := a.out
	if !a.asJSON() {
		if _, err := fmt.Fprintf(out, "%s (%s)\n\n", human.Printable(p.Label()), human.Printable(p.Path)); err != nil {
			return runs.Report{}, err
		}
		report, err := one(ctx, a)
		end := "\n"
		if gradeOf(err) > held {
			end = grades[gradeOf(err)] + ": standard error says why.\n\n"
		}
		_, outErr := io.WriteString(out, end)
		return report, errors.Join(err, outErr)
	}
	var text bytes.Buffer
	a.out = &text
	report, err := one(ctx, a)
	line, jsonErr := asLine(p, text.Bytes(), err)
	if jsonErr == nil {
		_, jsonErr = out.Write(line)
	}
	return report, errors.Join(err, jsonErr)
}

// asLine makes a line of what a command printed for a project, or of why it printed nothing.
func asLine(p *projects.Project, printed []byte, err error) ([]byte, error) {
	var line bytes.Buffer
	if len(printed) == 0 && err != nil {
		printed, err = json.Marshal(struct {
			Project string `json:"project,omitempty"`
			Error   string `json:"error"`
		}{p.Name, err.Error()})
		if err != nil {
			return nil, err
		}
	}
	path, err := json.Marshal(p.Path)
	if err != nil {
		return nil, err
	}
	if err := json.Compact(&line, printed); err != nil {
		return nil, err
	}
	object := bytes.TrimPrefix(line.Bytes(), []byte("{"))
	return fmt.Appendf(nil, "{\"config\":%s,%s\n", path, object), nil
}

// grade says how grave it is how a command ended.
type grade int

// The grades, from the least to the gravest.
const (
	well grade = iota
	parked
	held
	locked
	unreachable
	failed
	interrupted
)

// grades are the words for them.
var grades = map[grade]string{
	well: "ok", parked: "parked", held: "held", locked: "locked", unreachable: "unreachable", failed: "failed", interrupted: "interrupted",
}

func gradeOf(err error) grade {
	switch {
	case err == nil:
		return well
	case errors.Is(err, sync.ErrInterrupted):
		return interrupted
	case errors.Is(err, ErrHeld):
		return held
	case errors.Is(err, ErrParked):
		return parked
	case errors.As(err, new(*state.LockedError)):
		return locked
	case errors.As(err, new(*gleap.UnreachableError)):
		return unreachable
	}
	return failed
}

// severalError is how a command ended for several projects: as for the one for which it ended
// worst.
type severalError struct {
	worst error
	lines []string
}

func (e *severalError) add(p *projects.Project, err error) {
	if gradeOf(err) > gradeOf(e.worst) {
		e.worst = err
	}
	if gradeOf(err) <= held {
		return // the report has said enough
	}
	for line := range strings.Lines(err.Error()) {
		line = human.Commands(strings.TrimSpace(line), p.Path)
		if !strings.HasPrefix(line, p.Path) {
			line = p.Label() + ": " + line
		}
		e.lines = append(e.lines, line)
	}
}

func (e *severalError) err() error {
	if e.worst == nil {
		return nil
	}
	return e
}

func (e *severalError) Error() string { return strings.Join(e.lines, "\n") }

func (e *severalError) Unwrap() error { return e.worst }
