package sync

import (
	"slices"
	"time"

	"gleapsync/gleap"
	"gleapsync/internal/inputs"
	"gleapsync/state"
)

// basis is what a plan starts from: what the inputs start from, and what the merge has to know
// besides. It does not change while the plan is made and carried out.
type basis struct {
	*inputs.Basis
	o         Options
	forgotten *state.Forgotten

	turns        state.Turns                  // what the run before left
	takesTurns   bool                         // and the next run goes on behind this one
	fieldsBefore [gleap.LastPageView + 1]bool // contact fields that were delivered before
}

// recall asks the state for what a plan starts from. What it found so far it returns also
// with an error.
func (r planner) recall(at time.Time, request inputs.Request) (*basis, error) {
	b := &basis{o: r.o}
	if request.Saved {
		b.o.Tracks = nil
	}
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

// recallFields finds out which contact fields were delivered before. One counts as delivered
// once an export of it was delivered as a whole, as an attribute does. The state has a list
// of those that were.
func (b *basis) recallFields() {
	for _, f := range b.Overview.Fields {
		if int(f) < len(b.fieldsBefore) {
			b.fieldsBefore[f] = true
		}
	}
	if b.Overview.Fields != nil || !slices.ContainsFunc(b.Overview.Attributes, func(a state.Attribute) bool { return a.Applied.HasFields && !a.Applied.At.IsZero() }) {
		return
	}
	for _, f := range b.o.Fields {
		b.fieldsBefore[f.Field] = true
	}
}
