package sync

import (
	"context"
	"slices"

	"gleapsync/engage"
	"gleapsync/internal/extsort"
	"gleapsync/internal/guard"
	"gleapsync/internal/kept"
	"gleapsync/internal/runs"
)

// inputOf returns the input of an export.
func (r *reading) inputOf(e *export) input {
	if e.Changes {
		return newChanges(r, e)
	}
	return &snapshot{reading: r, export: e}
}

// addExports adds the exports with the attributes that the configuration names.
func (r *reading) addExports() error {
	if r.alone {
		return nil
	}
	for i, settings := range r.settings {
		e := &export{Export: settings, index: i}
		kept.Types(&e.Export.Export, r.overview.Attributes)
		e.input = r.inputOf(e)
		if err := r.add(e); err != nil {
			return err
		}
	}
	return nil
}

// openAll finds the exports, and their attributes as far as they can be told before all is read.
func (r *reading) openAll(ctx context.Context) error {
	var chosen []*export
	for _, e := range r.exports {
		if e.isChosen(r.request) {
			chosen = append(chosen, e)
		}
	}
	if err := r.each(ctx, chosen, func(ctx context.Context, e *export) error { return e.find(ctx) }); err != nil {
		return err
	}
	for _, e := range chosen {
		e.name()
	}
	return nil
}

// skipUnchanged decides which exports need not be read.
func (r *reading) skipUnchanged() {
	anyChanged := false
	for _, e := range r.exports {
		if e.source == nil {
			continue
		}
		for _, a := range e.attributes {
			if reason := e.tooOld(a, r.at); reason != "" && r.request.held {
				a.aged = reason
			} else if reason != "" {
				a.hold(reason)
			} else if a.chosen && e.isApplied(a) && r.lists.IsSettled(a.applied.Unlisted) && !r.resends() && a.status == runs.StatusApplied && !e.pending && !r.isUnanswered(a.id) && !a.isDue(r.at) {
				a.status = runs.StatusUnchanged
			}
		}
		anyChanged = anyChanged || e.usable() || e.hasUnknown(r.request)
	}
	if !anyChanged {
		return
	}
	// Something will be planned. A contact's fields come from all exports together, and
	// what was refused for a parked contact is known as a whole only, so these need the
	// unchanged exports too.
	for _, a := range r.attributes {
		if a.status == runs.StatusUnchanged && (len(r.parked) > 0 || a.applied.HasFields) {
			a.status = runs.StatusApplied
		}
	}
}

// retire adds an export without rows for each attribute that is to go, so that its members
// leave it.
func (r *reading) retire() {
	for _, a := range r.orphans() {
		if a.Key != r.request.retire && (r.alone || r.assume || !a.Retired) {
			continue
		}
		retired := &attribute{
			Attribute: engage.Attribute{Kind: engage.Kind(a.Kind), Key: a.Key, Name: a.Name},
			id:        a.ID, applied: a.Applied, status: runs.StatusApplied, retired: true,
			chosen: len(r.request.Only) == 0,
		}
		all := guard.AllOf()
		retired.export = &export{
			Export: Export{Export: engage.Export{AllowEmpty: true}, ClearMissing: true, MaxExits: &all},
			index:  len(r.exports), attributes: []*attribute{retired}, rows: extsort.New(0, &r.memory, r.temp),
		}
		r.byID[a.ID].attribute = retired
		r.exports = append(r.exports, retired.export)
		r.attributes = append(r.attributes, retired)
	}
}

// readAll reads and sorts all exports that are needed, some at a time. ahead is called
// meanwhile.
func (r *reading) readAll(ctx context.Context, ahead func()) error {
	var needed []*export
	for _, e := range r.exports {
		if e.source != nil && e.rows == nil && (e.usable() || e.refused == nil && e.hasUnknown(r.request)) {
			needed = append(needed, e)
		}
	}
	r.chooseLists(needed)
	if slices.ContainsFunc(needed, func(e *export) bool { return e.delta.before == "" }) {
		done := make(chan struct{})
		go func() { ahead(); close(done) }()
		defer func() { <-done }()
	}
	err := r.each(ctx, needed, func(ctx context.Context, e *export) error {
		end := r.meter.Span("read", e.Origin())
		defer func() { end(e.result.Rows) }()
		return e.read(ctx)
	})
	if err != nil {
		return err
	}
	for _, e := range r.exports {
		if e.input != nil {
			e.judge()
		}
	}
	return nil
}

// close gives the memory and the temporary files of the exports' rows back.
func (r *reading) close() {
	for _, e := range r.exports {
		if e.rows != nil {
			e.rows.Close()
		}
		e.delta.close()
	}
	r.lists.Close()
	r.memory.Clear()
}
