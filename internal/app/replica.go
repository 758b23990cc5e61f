package app

import (
	"context"
	"errors"
	"os"
	"time"

	"gleapsync/internal/config"
	"gleapsync/internal/replica"
	"gleapsync/state"
	"gleapsync/sync"
)

// A state with a replica lives in a bucket: whoever writes to it takes the lease there first,
// and keeps what it did at the end. Whoever only reads brings the local copy up to date, if
// that can be.

// hold takes the lease of the replica, if there is one, for a command that writes to the state, or
// puts another one in the place of whatever is there. It returns the configuration for it, and a
// context that ends with the lease. end keeps what the command did and adds what went wrong with
// that to the command's error.
func (a *App) hold(ctx context.Context, cfg *config.Config, replace bool) (of *config.Config, within context.Context, end func(error) error, err error) {
	if cfg.Replica == nil {
		return cfg, ctx, func(err error) error { return err }, nil
	}
	o := a.replicaOptions(cfg)
	o.Replace = replace
	h, err := replica.Hold(ctx, o)
	if err != nil {
		return nil, nil, nil, err
	}
	held := *cfg
	held.Sync.Replica, held.Gleap.May = h, h.Check
	return &held, h.Context(), func(err error) error {
		ended := h.End(ctx)
		if errors.As(err, new(*state.LockedError)) && errors.As(ended, new(*state.LockedError)) {
			return ended // it says the same
		}
		return errors.Join(err, ended)
	}, nil
}

func (a *App) replicaOptions(cfg *config.Config) replica.Options {
	command := ""
	if a.command != nil {
		command = a.command.Selected().Name
	}
	o := replica.Options{Address: *cfg.Replica, State: cfg.State, Command: command, Log: a.log}
	if log := cfg.Sync.Deliveries; log.Bucket != nil {
		o.First = func(ctx context.Context, s *state.Store) error { return sync.ShipDeliveries(ctx, log, s) }
	}
	// Only for tests: leases of minutes cannot be waited for.
	o.TTL, _ = time.ParseDuration(os.Getenv("GLEAPSYNC_TEST_LEASE"))
	o.Margin, o.Patience = o.TTL, o.TTL
	return o
}

// held runs fn with the state while nobody else may write to it, wherever it lives.
func (a *App) held(ctx context.Context, fn func(context.Context, *config.Config, *state.Store) error) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	cfg, ctx, end, err := a.hold(ctx, cfg, false)
	if err != nil {
		return err
	}
	store, err := state.Open(cfg.State)
	if err == nil {
		err = fn(ctx, cfg, store)
	}
	return end(err)
}

// look brings the local state up to date, if it lives in a replica too. That it cannot is said,
// and that there is nothing to look at then is an error.
func (a *App) look(ctx context.Context, cfg *config.Config) error {
	if cfg.Replica == nil {
		return nil
	}
	status, err := replica.Look(ctx, a.replicaOptions(cfg))
	a.replica = &status
	if err == nil {
		return nil
	}
	if _, statErr := os.Stat(cfg.State.Path); statErr != nil || errors.Is(err, replica.ErrOther) {
		return err
	}
	args := []any{"reason", err.Error()}
	if kept := replica.Kept(cfg.State.Path); !kept.IsZero() {
		args = append(args, "kept_last", kept)
	}
	a.log.Warn("the replica cannot be looked at: this is the state as it is here", args...)
	return nil
}
