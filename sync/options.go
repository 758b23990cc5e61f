package sync

import (
	"context"
	"time"

	"gleapsync/gleap"
	"gleapsync/internal/deliveries"
	"gleapsync/internal/events"
	"gleapsync/internal/guard"
	"gleapsync/internal/inputs"
	"gleapsync/internal/known"
	"gleapsync/state"
)

// Options are a runner's settings.
type Options struct {
	Project     string
	Gleap       string // which Gleap is told, for the state to remember
	Exports     []inputs.Export
	Known       []known.List // of the contacts that may be created; nil: all may be
	Fields      []inputs.Field
	Guard       guard.Limits
	Memory      int64         // bytes for sorting
	Alone       bool          // no other run goes on in this process, whose collector may wait
	TempDir     string        // for what does not fit, and for the plan
	Deadline    time.Duration // of a run, 0: none
	Rate        int           // requests per Window, 0: no limit; for estimates
	Window      time.Duration
	Concurrency int // calls at a time
	BooleanAs   gleap.BooleanAs
	Events      Events
	Tracks      []events.Export
	Deliveries  deliveries.Place // the log of acknowledged calls
	// Shown is set where somebody who sees the log sees the report below it: what both say is not
	// logged.
	Shown   bool
	Replica replica // of the state; nil: there is none
}

// replica is where the state is kept too: a [*replica.Held].
type replica interface {
	Keep(ctx context.Context, s *state.Store, next []state.Announced) error
}

// Events says which changes are told as events too, and how events are sent.
type Events struct {
	Entered, Exited, Computed string        // the names of what is told of audiences and traits
	Traits                    []string      // names, keys or patterns: traits of which each new value is an event
	Backfill                  bool          // the first full sync and a full resync make events too
	Batch                     int           // events in one request at most
	Remember                  time.Duration // how long a message of an event export is known, so that it does not count twice
}
