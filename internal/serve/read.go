package serve

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"gleapsync/internal/config"
	"gleapsync/internal/inspect"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// reader reads the state of the configuration in force for those who ask. It bounds how often it
// does, however many they are: a commit has to wait as long as anybody has the file open.
type reader struct {
	config atomic.Pointer[config.Config]

	pace *rate.Limiter
	turn chan struct{} // taken while the fields below are used
	at   time.Time     // of what was seen
	seen seen
}

// seen is what most want to know.
type seen struct {
	overview inspect.Overview
	last     *runs.Report // the last sync
	err      error
}

const (
	pause = 50 * time.Millisecond // between the beginnings of two readings
	fresh = time.Second           // for so long what was seen is told again
)

// inspect lets fn look into the state of the present configuration.
func (r *reader) inspect(ctx context.Context, fn func(*inspect.View) error) error {
	if err := r.pace.Wait(ctx); err != nil {
		return err
	}
	v, err := r.view()
	if err != nil {
		return err
	}
	return fn(v)
}

func (r *reader) view() (*inspect.View, error) {
	cfg := r.config.Load()
	store, err := state.Open(cfg.State)
	return inspect.New(cfg.Sync, store), err
}

// look returns what the state says, as it was a second ago at most. It waits for nobody who
// asks for something else: probes and metrics depend on it.
func (r *reader) look(ctx context.Context) seen {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return seen{err: ctx.Err()}
	}
	if !r.at.IsZero() && time.Since(r.at) < fresh {
		return r.seen
	}
	var now seen
	v, err := r.view()
	if now.err = err; err == nil {
		var lastErr error
		now.overview, err = v.Overview()
		now.last, lastErr = v.LastSync()
		now.err = errors.Join(err, lastErr)
	}
	r.at, r.seen = time.Now(), now
	return now
}
