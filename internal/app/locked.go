package app

import (
	"context"
	"errors"
	"time"

	"gleapsync/internal/config"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// dryFlags are the flags of commands that change the state or Gleap and can say what they would do.
type dryFlags struct {
	DryRun bool `help:"Say what would be done, and do nothing."`
}

// locked runs fn with the state while no run may use it.
func (a *App) locked(ctx context.Context, fn func(*config.Config, *state.Store) error) error {
	return a.held(ctx, func(_ context.Context, cfg *config.Config, store *state.Store) error {
		release, err := store.Lock()
		if err != nil {
			return err
		}
		defer release()
		return fn(cfg, store)
	})
}

// changes is locked for a command that changes what the state says: what it did is in the list of
// runs, so that nobody has to guess later why the next run did what it did.
func (a *App) changes(ctx context.Context, command string, fn func(*state.Store) (runs.Touched, error)) error {
	return a.locked(ctx, func(cfg *config.Config, store *state.Store) error {
		return a.change(store, cfg.Sync.Project, command, fn)
	})
}

// change carries a change out that a command makes, and has it in the list of runs.
func (a *App) change(store *state.Store, project, command string, fn func(*state.Store) (runs.Touched, error)) error {
	started := time.Now().UTC().Truncate(time.Millisecond)
	touched, err := fn(store)
	if touched == (runs.Touched{}) {
		return err
	}
	if _, lostErr := runs.KeepLost(store, project); lostErr != nil {
		a.log.Warn("the report of a run that was lost is not stored", "reason", lostErr.Error())
	}
	report := runs.Report{Run: runs.NextID(store), Command: command, Project: project, Started: started, Touched: &touched}
	return errors.Join(err, runs.Done(store, report, nil))
}
