package sync

import (
	"context"
	"runtime/debug"
	"time"

	"gleapsync/internal/events"
	"gleapsync/internal/guard"
	"gleapsync/internal/inputs"
	"gleapsync/internal/planfile"
)

// plan reads the exports and works out what changed. The caller closes the plan, also after an
// error.
func (r planner) plan(ctx context.Context, at time.Time, request inputs.Request) (*plan, error) {
	if r.o.Alone {
		defer limitMemory(r.o.Memory)()
	}
	b, err := r.recall(at, request)
	in := inputs.New(b.Basis)
	defer in.Close()
	tracks := events.New(events.Options{
		Exports: b.o.Tracks, Memory: b.o.Memory, Rows: &in.Memory, Temp: r.temp, Meter: r.meter, MaxInvalid: b.o.Guard.MaxInvalid,
		Remember: b.o.Events.Remember, At: b.At, Files: b.DoneFiles, Properties: b.Overview.Properties, Forgotten: b.forgotten,
	})
	if err == nil {
		err = in.Read(ctx, r.store.ReadAhead)
	}
	if err == nil && b.LooksAtAll() {
		err = tracks.Read(ctx, r.store)
	}
	var leavers *planfile.File
	if request.Held {
		leavers = &planfile.File{}
	}
	attributes := attributesOf(in)
	for {
		p := &plan{
			basis: b, attributeList: attributes, in: in, exports: in.All, orphans: in.Orphans(),
			tracks: tracks, store: r.store, temp: r.temp, leavers: leavers,
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
			err = p.writeLists(ctx)
		}
		return p, err
	}
}

// limitMemory has the garbage collector keep to what the rows may take, and a quarter of that for all
// else: else there may be as much garbage as there are rows. undo ends that.
func limitMemory(rows int64) (undo func()) {
	const least = 64 << 20 // below that the collector would never rest
	before := debug.SetMemoryLimit(-1)
	debug.SetMemoryLimit(min(before, max(least, rows+rows/4)))
	return func() { debug.SetMemoryLimit(before) }
}

// holds decides which exports are held for what the merge found, and reports whether any is.
func (p *plan) holds() bool {
	held := false
	for _, a := range p.attributes {
		if !a.Active() {
			continue
		}
		if a.Aged != "" {
			a.Hold(a.Aged)
			held = true
			continue
		}
		limit := p.o.Guard.MaxExits
		if a.Input.MaxExits != nil {
			limit = *a.Input.MaxExits
		}
		if l, ok := p.Request.MaxExitsOf(a.Key, a.before); ok {
			limit = l
		}
		exits := a.exited + a.withheld // they would leave if they were not withheld
		emptied := a.members == 0 && !a.Input.AllowEmpty && !(a.absence == "" && p.Request.Empties(a.Key, exits))
		reason := guard.CheckMembers(a.Key, a.before, exits, emptied, p.o.Guard.MinExits, limit)
		if emptied && a.before > 0 && a.isSilent() {
			reason = guard.Silent(a.before)
		}
		if reason != "" {
			a.Hold(reason)
			held = true
		}
	}
	return held
}
