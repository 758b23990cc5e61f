package sync

import (
	"context"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/damping"
	"gleapsync/internal/deliveries"
	"gleapsync/internal/events"
	"gleapsync/internal/guard"
	"gleapsync/internal/known"
	"gleapsync/state"
)

// Options are a runner's settings.
type Options struct {
	Project     string
	Gleap       string // which Gleap is told, for the state to remember
	Exports     []Export
	Known       []known.List // of the contacts that may be created; nil: all may be
	Fields      []Field
	Guard       guard.Limits
	Memory      int64         // bytes for sorting
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

// Export is a source of rows, what it feeds and what guards it.
type Export struct {
	engage.Export
	KeepAbsent   bool          // a user who is not in it stays in its audiences
	ClearMissing bool          // a user who is not in it loses its traits
	MaxExits     *guard.Limit  // nil: Guard.MaxExits
	MaxAge       time.Duration // 0: any
	NoFields     bool          // contact fields are not taken from it
	Membership   bool          // that contacts enter and leave its audiences are events
	Lag          time.Duration // of changes with a cursor: how late rows may come
	Audit        *Audit        // of changes with a cursor; nil: none
	IgnoreBroken bool          // exits and clears go although rows could not be read
	// Damping has, by name, the traits of which not every change is sent; "" stands for those
	// that it does not name.
	Damping map[string]damping.Rule
}

// Events says which changes are told as events too, and how events are sent.
type Events struct {
	Entered, Exited, Computed string        // the names of what is told of audiences and traits
	Traits                    []string      // names, keys or patterns: traits of which each new value is an event
	Backfill                  bool          // the first full sync and a full resync make events too
	Batch                     int           // events in one request at most
	Remember                  time.Duration // how long a message of an event export is known, so that it does not count twice
}

// Field says which column feeds one of Gleap's contact fields. The name may have two,
// the first and the last one.
type Field struct {
	Field   gleap.Field
	Columns []string
}

// columns returns the export columns of all contact fields, as [engage.Export.Fields]
// wants them.
func columns(fields []Field) []string {
	var all []string
	for _, f := range fields {
		all = append(all, f.Columns...)
	}
	return all
}
