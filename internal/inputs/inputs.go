package inputs

import (
	"context"
	"slices"

	"gleapsync/engage"
	"gleapsync/internal/extsort"
	"gleapsync/internal/guard"
	"gleapsync/internal/kept"
	"gleapsync/internal/known"
	"gleapsync/internal/runs"
)

// Read finds and reads the exports as far as they are needed. ahead is called while they are
// read.
func (in *Inputs) Read(ctx context.Context, ahead func()) error {
	if err := in.addExports(); err != nil {
		return err
	}
	if err := in.openAll(ctx); err != nil {
		return err
	}
	if err := in.readKnown(ctx); err != nil {
		return err
	}
	in.skipUnchanged()
	in.retire()
	if err := in.readAll(ctx, ahead); err != nil {
		return err
	}
	return in.checkAsked()
}

// inputOf returns the input of an export.
func (in *Inputs) inputOf(e *Input) kind {
	if e.Changes {
		return newChanges(in, e)
	}
	return &snapshot{Inputs: in, Input: e}
}

// addExports adds the exports with the attributes that the configuration names.
func (in *Inputs) addExports() error {
	if in.Alone {
		return nil
	}
	for i, settings := range in.Configured {
		e := &Input{Export: settings, Index: i}
		kept.Types(&e.Export.Export, in.Overview.Attributes)
		e.kind = in.inputOf(e)
		if err := in.add(e); err != nil {
			return err
		}
	}
	return nil
}

// openAll finds the exports, and their attributes as far as they can be told before all is read.
func (in *Inputs) openAll(ctx context.Context) error {
	var chosen []*Input
	for _, e := range in.All {
		if e.isChosen(in.Request) {
			chosen = append(chosen, e)
		}
	}
	if err := in.each(ctx, chosen, func(ctx context.Context, e *Input) error { return e.find(ctx) }); err != nil {
		return err
	}
	for _, e := range chosen {
		e.name()
	}
	return nil
}

// readKnown reads the lists of known contacts.
func (in *Inputs) readKnown(ctx context.Context) (err error) {
	if !in.Alone {
		in.Lists, err = known.Read(ctx, in.listOptions())
	}
	return err
}

func (in *Inputs) listOptions() known.Options {
	return known.Options{
		Lists: in.o.Known, Budget: in.budget, Memory: &in.Memory, Temp: in.o.Temp, Meter: in.o.Meter, MaxInvalid: in.o.MaxInvalid, At: in.At,
		Ends: in.Overview.ListEnds,
		Log:  func(list, line string) { in.o.Log.Info("a command says", "command", list, "line", line) },
	}
}

// skipUnchanged decides which exports need not be read.
func (in *Inputs) skipUnchanged() {
	anyChanged := false
	for _, e := range in.All {
		if e.source == nil {
			continue
		}
		for _, a := range e.Feeds {
			if reason := e.tooOld(a, in.At); reason != "" && in.Request.Held {
				a.Aged = reason
			} else if reason != "" {
				a.Hold(reason)
			} else if a.Asked && e.IsApplied(a) && in.Lists.IsSettled(a.Applied.Unlisted) && !in.resends() && a.Status == runs.StatusApplied && !e.pending && !in.isUnanswered(a.ID) && !a.isDue(in.At) {
				a.Status = runs.StatusUnchanged
			}
		}
		anyChanged = anyChanged || e.Usable() || e.hasUnknown(in.Request)
	}
	if !anyChanged {
		return
	}
	// Something will be planned. A contact's fields come from all exports together, and
	// what was refused for a parked contact is known as a whole only, so these need the
	// unchanged exports too.
	for _, a := range in.Fed {
		if a.Status == runs.StatusUnchanged && (len(in.Parked) > 0 || a.Applied.HasFields) {
			a.Status = runs.StatusApplied
		}
	}
}

// retire adds an export without rows for each attribute that is to go, so that its members
// leave it.
func (in *Inputs) retire() {
	for _, a := range in.Orphans() {
		if a.Key != in.Request.Retire && (in.Alone || in.Request.Assume || !a.Retired) {
			continue
		}
		retired := &Attribute{
			Attribute: engage.Attribute{Kind: engage.Kind(a.Kind), Key: a.Key, Name: a.Name},
			ID:        a.ID, Applied: a.Applied, Status: runs.StatusApplied, Retired: true,
			Asked: len(in.Request.Only) == 0,
		}
		all := guard.AllOf()
		retired.Input = &Input{
			Export: Export{Export: engage.Export{AllowEmpty: true}, ClearMissing: true, MaxExits: &all},
			Index:  len(in.All), Feeds: []*Attribute{retired}, Rows: extsort.New(0, &in.Memory, in.o.Temp),
		}
		in.byID[a.ID].attribute = retired
		in.All = append(in.All, retired.Input)
		in.Fed = append(in.Fed, retired)
	}
}

// readAll reads and sorts all exports that are needed, some at a time. ahead is called
// meanwhile.
func (in *Inputs) readAll(ctx context.Context, ahead func()) error {
	var needed []*Input
	for _, e := range in.All {
		if e.source != nil && e.Rows == nil && (e.Usable() || e.refused == nil && e.hasUnknown(in.Request)) {
			needed = append(needed, e)
		}
	}
	in.chooseLists(needed)
	if slices.ContainsFunc(needed, func(e *Input) bool { return e.delta.before == "" }) {
		done := make(chan struct{})
		go func() { ahead(); close(done) }()
		defer func() { <-done }()
	}
	err := in.each(ctx, needed, func(ctx context.Context, e *Input) error {
		end := in.o.Meter.Span("read", e.Origin())
		defer func() { end(e.Result.Rows) }()
		return e.read(ctx)
	})
	if err != nil {
		return err
	}
	for _, e := range in.All {
		if e.kind != nil {
			e.judge()
		}
	}
	return nil
}

// Close gives the memory and the temporary files of the exports' rows back.
func (in *Inputs) Close() {
	for _, e := range in.All {
		if e.Rows != nil {
			e.Rows.Close()
		}
		e.delta.close()
	}
	in.Lists.Close()
	in.Memory.Clear()
}
