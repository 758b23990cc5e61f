package sync

import (
	"context"
	"log/slog"
	"time"

	"gleapsync/internal/events"
	"gleapsync/internal/extsort"
	"gleapsync/internal/guard"
	"gleapsync/internal/planfile"
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
}

// plan reads the exports and works out what changed. The caller closes the plan, also after an
// error.
func (r planner) plan(ctx context.Context, at time.Time, request Request) (*plan, error) {
	b, err := recall(r.o, r.store, at, request)
	in := r.reading(b)
	defer in.close()
	tracks := events.New(events.Options{
		Exports: b.o.Tracks, Memory: b.o.Memory, Rows: &in.memory, Temp: r.temp, Meter: r.meter, MaxInvalid: b.o.Guard.MaxInvalid,
		Remember: b.o.Events.Remember, At: b.at, Files: b.files, Properties: b.overview.Properties, Forgotten: b.forgotten,
	})
	if err == nil {
		err = in.prepare(ctx, r.store.ReadAhead)
	}
	if err == nil && b.looksAtAll() {
		err = tracks.Read(ctx, r.store)
	}
	var leavers *planfile.File
	if request.held {
		leavers = &planfile.File{}
	}
	for {
		p := &plan{
			basis: b, attributeList: in.attributeList, exports: in.exports, unusable: in.unusable, orphans: in.orphans(),
			tracks: tracks, lists: in.lists, store: r.store, temp: r.temp, leavers: leavers,
		}
		if err == nil {
			end := r.meter.Span("merge", "")
			err = p.merge(ctx)
			end(p.contacts.Planned)
		}
		if err == nil && p.holds() {
			p.discard() // another one is made, without what is held
			continue
		}
		if err == nil {
			err = p.writeLists(r.log)
		}
		return p, err
	}
}

// prepare finds and reads the exports as far as they are needed. ahead is called while they are
// read.
func (r *reading) prepare(ctx context.Context, ahead func()) error {
	if err := r.addExports(); err != nil {
		return err
	}
	if err := r.openAll(ctx); err != nil {
		return err
	}
	if err := r.readKnown(ctx); err != nil {
		return err
	}
	r.skipUnchanged()
	r.retire()
	if err := r.readAll(ctx, ahead); err != nil {
		return err
	}
	return r.checkAsked()
}

// reading returns what is read for a plan: the exports of a configuration, none of which is open
// yet.
func (r planner) reading(b *basis) *reading {
	return &reading{catalog: newCatalog(b), memory: extsort.Memory{Room: roomFor(b.o.Memory)}, budget: b.o.Memory / 4, temp: r.temp, state: r.store.Path(), log: r.log, meter: r.meter}
}

// holds decides which exports are held for what the merge found, and reports whether any is.
func (p *plan) holds() bool {
	held := false
	for _, a := range p.attributes {
		if !a.active() {
			continue
		}
		if a.aged != "" {
			a.hold(a.aged)
			held = true
			continue
		}
		limit := p.o.Guard.MaxExits
		if a.export.MaxExits != nil {
			limit = *a.export.MaxExits
		}
		if l, ok := p.request.maxExits(a.Key, a.before); ok {
			limit = l
		}
		exits := a.exited + a.withheld // they would leave if they were not withheld
		emptied := a.members == 0 && !a.export.AllowEmpty && !(a.absence == "" && p.request.empties(a.Key, exits))
		reason := guard.CheckMembers(a.Key, a.before, exits, emptied, p.o.Guard.MinExits, limit)
		if emptied && a.before > 0 && a.isSilent() {
			reason = guard.Silent(a.before)
		}
		if reason != "" {
			a.hold(reason)
			held = true
		}
	}
	return held
}
