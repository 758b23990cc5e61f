package app

import (
	"fmt"
	"maps"
	"slices"

	"gleapsync/engage"
	"gleapsync/gleap/sandbox"
	"gleapsync/internal/config"
	"gleapsync/internal/console"
	"gleapsync/internal/guard"
	"gleapsync/internal/inputs"
	"gleapsync/internal/nearest"
	"gleapsync/internal/runs"
	"gleapsync/internal/tempdir"
	"gleapsync/state"
	"gleapsync/sync"
)

// runFlags are those of the commands that make a plan.
type runFlags struct {
	Full          bool              `help:"Send all values of all contacts again."`
	Only          []string          `help:"Look at this audience or trait only, or at those whose keys match; may be repeated." placeholder:"KEY|PATTERN"`
	MaxExits      map[string]string `help:"Let that many members leave an audience in this run: a share such as 60% or a count; may be repeated." placeholder:"KEY|PATTERN=LIMIT" mapsep:"none"`
	AcceptAbsence []string          `help:"Let those go in this run who are in no row that could be read, although some rows could not; may be repeated." placeholder:"KEY|PATTERN"`
}

// alone names a flag that is for one project and was given, "" if none was.
func (f runFlags) alone() string {
	switch {
	case f.Full:
		return "--full"
	case len(f.Only) > 0:
		return "--only"
	case len(f.MaxExits) > 0:
		return "--max-exits"
	case len(f.AcceptAbsence) > 0:
		return "--accept-absence"
	}
	return ""
}

// request checks the flags and turns them into a request for a runner.
func (f runFlags) request(cfg *config.Config) (inputs.Request, error) {
	request := inputs.Request{Full: f.Full, Only: f.Only, MaxExits: map[string]guard.Limit{}, AcceptAbsence: f.AcceptAbsence}
	for key, text := range f.MaxExits {
		limit, err := guard.ParseLimit(text)
		if err != nil {
			return request, &UsageError{fmt.Errorf("--max-exits %s: %w", key, err)}
		}
		request.MaxExits[key] = limit
	}
	for _, key := range slices.Concat(f.Only, slices.Sorted(maps.Keys(f.MaxExits)), f.AcceptAbsence) {
		switch {
		case cfg.MayFeed(key):
		case engage.IsPattern(key):
			return request, &UsageError{fmt.Errorf("the configuration has no audience or trait whose key matches %q", key)}
		default:
			return request, &UsageError{fmt.Errorf("the configuration has no audience or trait with the key %q%s", key, nearest.Hint(key, cfg.AttributeKeys()))}
		}
	}
	return request, nil
}

// shownFlags are those of the commands that show a run's report.
type shownFlags struct {
	All  bool   `help:"Show every audience and trait, also those of which nothing changed." xor:"shown"`
	Held bool   `help:"Show those only that are held, or of which exits are withheld." xor:"shown"`
	Sort string `help:"Order of the table: key, changed or members (the most first); that of the configuration if left out." enum:",key,changed,members" default:"" placeholder:"ORDER"`
}

func (f shownFlags) shown() console.Shown { return console.Shown(f) }

// call carries out a run that makes calls; all says that it tells everything.
func (a *App) call(cfg *config.Config, store *state.Store, all bool, watch func(runs.Progress), run func(*sync.Runner) (runs.Report, error)) (runs.Report, *sandbox.Sandbox, error) {
	tempdir.RemoveLeft(cfg.Sync.TempDir, rehearsals) // a copy of the state must not stay where nobody knows of it
	client, embedded, stop, err := a.client(cfg)
	if err != nil {
		return runs.Report{}, nil, err
	}
	defer stop()
	if err := checkGleap(cfg, store, all); err != nil {
		return runs.Report{}, embedded, err
	}
	report, err := run(sync.New(cfg.Sync, store, client, a.log, watch))
	return report, embedded, err
}

// silent returns a runner that makes no call, and what is asked of it.
func (f runFlags) silent(a *App, cfg *config.Config) (*sync.Runner, inputs.Request, error) {
	store, err := openForRun(cfg, nil)
	if err != nil {
		return nil, inputs.Request{}, err
	}
	request, err := f.request(cfg)
	if err == nil {
		err = checkGleap(cfg, store, request.TellsAll())
	}
	cfg.Sync.Shown = a.showsBoth()
	return sync.New(cfg.Sync, store, nil, a.log, a.watch()), request, err
}
