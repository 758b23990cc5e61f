package sync

import (
	"log/slog"
	"time"

	"gleapsync/internal/extsort"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// planner makes plans.
type planner struct {
	o     Options
	store *state.Store
	temp  extsort.CreateTemp
	log   *slog.Logger
	meter *runs.Meter
	now   func() time.Time
}

// recall asks the state for what a plan starts from. What it found so far it returns also
// with an error.
func (r planner) recall(at time.Time, request inputs.Request) (*basis, error) {
	b := &basis{o: r.o}
	var err error
	if b.Basis, err = r.read(at, request); err != nil {
		return b, err
	}
	if b.forgotten, err = r.store.Forgotten(); err != nil {
		return b, err
	}
	if b.takesTurns = b.LooksAtAll(); b.takesTurns {
		b.turns = b.Overview.Turns
	}
	b.recallFields()
	return b, nil
}

// read returns what the exports are read for.
func (r planner) read(at time.Time, request inputs.Request) (*inputs.Basis, error) {
	return inputs.Recall(inputs.Options{
		Exports: r.o.Exports, Fields: r.o.Fields, Known: r.o.Known, MaxInvalid: r.o.Guard.MaxInvalid,
		Memory: r.o.Memory, Temp: r.temp, Log: r.log, Meter: r.meter,
	}, r.store, at, request)
}

func secondsSince(t time.Time) float64 { return time.Since(t).Round(time.Millisecond).Seconds() }

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
