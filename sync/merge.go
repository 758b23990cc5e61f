package sync

import (
	"bytes"
	"context"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
)

// decide merges until no guard speaks up any more.
func (p *plan) decide(ctx context.Context, request Request) error {
	for _, a := range p.attributes {
		if a.active() {
			a.absence = a.withholds(request)
		}
	}
	for {
		if err := p.merge(ctx); err != nil {
			return err
		}
		held := false
		for _, a := range p.attributes {
			if !a.active() {
				continue
			}
			limit := p.runner.o.Guard.MaxExits
			if a.export.MaxExits != nil {
				limit = *a.export.MaxExits
			}
			if l, ok := request.maxExits(a.Key, a.before); ok {
				limit = l
			}
			if reason := checkMembers(a, p.runner.o.Guard, limit); reason != "" {
				a.hold(reason)
				held = true
			}
		}
		if !held {
			return nil
		}
	}
}

// merge passes over all exports and all records and writes the plan: on each processor
// over a span of the user ids.
func (p *plan) merge(ctx context.Context) error {
	p.reset()
	var sources []*export
	for _, e := range p.exports {
		if e.rows != nil && e.usable() {
			sources = append(sources, e)
		}
	}
	if len(sources) == 0 && !p.resyncing() {
		return nil
	}
	most := 2 + int(p.runner.o.Memory>>25) // each pass takes some 5 MiB besides
	bounds := bounds(sources, min(most, runtime.GOMAXPROCS(0)))
	buffer := p.readersBuffer(len(bounds) + 1)
	group, ctx := errgroup.WithContext(ctx)
	changes := p.runner.store.ChangedRanges(bounds)
	var from []byte
	for i, records := range p.runner.store.RecordRanges(bounds) {
		span := span{from: from}
		if i < len(bounds) {
			span.to, from = bounds[i], bounds[i]
		}
		pass := newPass(p, span)
		p.passes = append(p.passes, pass)
		var streams []stream
		for _, e := range sources {
			streams = append(streams, e.rows.stream(span, buffer))
		}
		group.Go(func() error {
			return pass.run(ctx, newMerger(streams, sharedByAll(sources)), sources, records, changes[i])
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, pass := range p.passes {
		p.findings.add(&pass.found)
		for _, a := range p.attributes {
			a.tally.add(pass.tallies[a.id])
		}
	}
	return nil
}

// bounds returns the user ids that cut the exports' rows into n parts of about the same
// size; where there are few rows, into fewer.
func bounds(exports []*export, n int) [][]byte {
	var ids [][]byte
	for _, e := range exports {
		for _, r := range e.rows.runs {
			ids = r.userIDs(ids)
		}
	}
	slices.SortFunc(ids, bytes.Compare)
	var bounds [][]byte
	for i := 1; i < n && len(ids) > 0; i++ {
		bounds = append(bounds, ids[i*len(ids)/n])
	}
	return slices.CompactFunc(bounds, bytes.Equal)
}

// sharedByAll returns with how many bytes the same ids of all exports begin.
func sharedByAll(exports []*export) int {
	var shared []byte
	first := true
	for _, e := range exports {
		switch {
		case e.rows.shared == nil: // no rows
		case first:
			shared, first = e.rows.shared, false
		default:
			shared = shared[:sharedLength(shared, e.rows.shared)]
		}
	}
	return len(shared)
}

// reset forgets what an earlier merge found, but for the attributes that it led to
// be held.
func (p *plan) reset() {
	p.closePasses()
	for _, a := range p.attributes {
		a.counts = a.active()
		a.events = a.counts && p.announces(a)
		a.damping = Damping{}
		if !p.assume && !p.alone {
			a.damping = a.export.damping(a.Attribute)
		}
		if a.counts {
			a.tally = tally{}
		} else { // it shows what it was held for, and calls nobody
			a.alone, a.aloneDelta, a.damped = 0, 0, 0
		}
	}
	p.findings = findings{}
	p.fieldsComplete = !slices.ContainsFunc(p.exports, (*export).mayHoldFieldsBack)
}
