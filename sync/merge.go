package sync

import (
	"context"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"gleapsync/internal/extsort"
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
	var rows []*extsort.Sorter
	for _, e := range p.exports {
		if e.rows != nil && e.usable() {
			sources, rows = append(sources, e), append(rows, e.rows)
		}
	}
	if len(sources) == 0 && !p.resyncing() {
		return nil
	}
	most := 2 + int(p.runner.o.Memory>>25) // each pass takes some 5 MiB besides
	bounds := extsort.Bounds(rows, min(most, runtime.GOMAXPROCS(0)))
	buffer := p.readersBuffer(len(bounds) + 1)
	group, ctx := errgroup.WithContext(ctx)
	changes := p.runner.store.SaidRanges(bounds)
	var from []byte
	for i, records := range p.runner.store.RecordRanges(bounds) {
		span := extsort.Span{From: from}
		if i < len(bounds) {
			span.To, from = bounds[i], bounds[i]
		}
		pass := newPass(p, span)
		p.passes = append(p.passes, pass)
		var streams []extsort.Stream
		for _, r := range rows {
			streams = append(streams, r.Stream(span, buffer))
		}
		group.Go(func() error {
			return pass.run(ctx, extsort.NewMerger(streams, extsort.Shared(rows)), sources, records, changes[i])
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
