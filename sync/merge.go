package sync

import (
	"context"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"gleapsync/internal/damping"
	"gleapsync/internal/extsort"
	"gleapsync/internal/inputs"
	"gleapsync/internal/planfile"
	"gleapsync/state"
)

// merge passes over all exports and all records and writes the plan: on each processor
// over a span of the user ids.
func (p *plan) merge(ctx context.Context) error {
	p.beginTallies()
	p.fieldsComplete = !slices.ContainsFunc(p.exports, (*inputs.Input).MayHoldFieldsBack)
	var sources []*inputs.Input
	var rows []*extsort.Sorter
	for _, e := range p.exports {
		if e.Rows != nil && e.Usable() {
			sources, rows = append(sources, e), append(rows, e.Rows)
		}
	}
	if len(sources) == 0 && !p.Resyncing() {
		return nil
	}
	most := 2 + int(p.o.Memory>>25) // each pass takes some 5 MiB besides
	bounds := extsort.Bounds(rows, min(most, runtime.GOMAXPROCS(0)))
	buffer := extsort.Buffer(p.o.Memory/4, slices.Concat(rows, p.lists().Sorters()), len(bounds)+1)
	group, ctx := errgroup.WithContext(ctx)
	spans := len(bounds) + 1
	knownOf := p.knownOf(sources, bounds)
	passes := make([]*pass, spans)
	keepsLists := slices.ContainsFunc(sources, (*inputs.Input).HasList)
	lists := p.leavers != nil && p.leavers.IsEmpty() // what is held does not leave in a later merge
	var from []byte
	for i := range spans {
		span := extsort.Span{From: from}
		if i < len(bounds) {
			span.To, from = bounds[i], bounds[i]
		}
		part, said := p.file.Add(p.turns, p.temp), &extsort.Spool{Create: p.temp}
		p.said = append(p.said, said)
		var notes *extsort.Spool
		if keepsLists {
			notes = &extsort.Spool{Create: p.temp}
			p.notes = append(p.notes, notes)
		}
		var leavers *planfile.Part
		if lists {
			leavers = p.leavers.Add(state.Turns{}, p.temp)
		}
		var streams []extsort.Stream
		for _, r := range rows {
			streams = append(streams, r.Stream(span, buffer))
		}
		known, changes := knownOf(i, span, buffer)
		group.Go(func() error {
			// Here, so that no two passes write to the same line of a cache.
			pass := newPass(p, span, part, said)
			if p.lists() != nil {
				pass.listed = p.lists().Cursor(span, buffer)
			}
			pass.leavers, pass.notes = leavers, notes
			passes[i] = pass
			return pass.run(ctx, extsort.NewMerger(streams, extsort.Shared(rows)), sources, known, changes)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, pass := range passes {
		p.findings.add(&pass.found)
		for _, a := range p.attributes {
			a.tally.add(pass.tallies[a.ID])
			a.mended += pass.contact.Mended(a.Attribute)
		}
		for i, e := range p.exports {
			p.torn[i] += pass.contact.Torn(e)
		}
	}
	p.addFormer(&p.Overview)
	return nil
}

// beginTallies forgets what an earlier merge found, except for the attributes that it led to
// be held.
func (p *plan) beginTallies() {
	p.torn = make([]int, len(p.exports))
	for _, a := range p.attributes {
		a.counts = a.Active()
		if a.counts {
			a.absence = a.withholds(p.Request)
		}
		a.events = a.counts && p.announces(a)
		a.waited = a.counts && p.listsChanged(a)
		a.damping = damping.Rule{}
		if !p.Request.Assume && !p.Alone {
			a.damping = a.Input.DampingOf(a.Attribute.Attribute)
		}
		if a.counts {
			a.tally, a.merged = tally{}, true
		} else { // it shows what it was held for, and calls nobody
			a.alone, a.aloneDelta, a.damped = 0, 0, 0
		}
	}
}

func newPass(p *plan, span extsort.Span, part *planfile.Part, toStore *extsort.Spool) *pass {
	pass := &pass{
		plan:    p,
		part:    part,
		said:    toStore,
		tallies: make([]tally, len(p.byID)),
		contact: contact{
			Wanted: p.in.NewWanted(),
			old:    make([]uint32, len(p.byID)),
			told:   make([]told, len(p.byID)),
			member: make([]uint32, len(p.byID)),
		},
	}
	from, _ := p.FindUnanswered(span.From)
	to := len(p.Unanswered)
	if span.To != nil {
		to, _ = p.FindUnanswered(span.To)
	}
	pass.unanswered = p.Unanswered[from:to]
	if !p.Request.Assume && !p.Alone { // else they are tried too
		from, _ := p.FindParked(string(span.From))
		to := len(p.Parked)
		if span.To != nil {
			to, _ = p.FindParked(string(span.To))
		}
		pass.parked = p.Parked[from:to]
	}
	return pass
}

// run merges all that is known of the contacts.
func (p *pass) run(ctx context.Context, rows *extsort.Merger, sources []*inputs.Input, records, changes records) error {
	p.cursors = cursors{
		atRows: {repeats: true, disorder: extsort.ErrTemp, fail: rows.Err, advance: func() (id []byte) {
			if id, p.row, _ = rows.Next(); id != nil {
				p.from = sources[rows.Source()]
			}
			return id
		}},
		atRecords:    over(records),
		atChanges:    over(changes),
		atUnanswered: {disorder: state.ErrDamaged, advance: firstOf(&p.unanswered, func(u *state.Unanswered) []byte { return u.UserID })},
		atParked:     {disorder: state.ErrDamaged, advance: firstOf(&p.parked, func(c *state.Parked) []byte { return []byte(c.UserID) })},
	}
	for i := range p.cursors {
		if _, err := p.cursors[i].next(nil); err != nil {
			return err
		}
	}
	c := &p.contact
	for n := 0; ; n++ {
		if n&0xfff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		least, has := p.cursors.least()
		if least == nil {
			return nil
		}
		c.start(least)
		if has[atUnanswered] {
			c.unanswered = &p.unanswered[0]
		}
		if has[atChanges] {
			if err := c.Recall(changes.Record()); err != nil {
				return err
			}
		}
		for again := has[atRows]; again; {
			if err := c.Add(p.from, p.row); err != nil {
				return err
			}
			var err error
			if again, err = p.cursors[atRows].next(c.userID); err != nil {
				return err // what is missing must not look absent
			}
		}
		if has[atRecords] {
			c.known = true
			if err := c.record.Decode(records.Record()); err != nil {
				return err
			}
		}
		if c.HadRows() || p.notes != nil && has[atRows] {
			c.markMembers(&p.attributeList)
			p.takeFormer()
		}
		if has[atParked] {
			c.parked = &p.parked[0]
		}
		forgotten, told := !c.known && p.forgotten.Has(c.userID), false
		if !forgotten {
			if store := c.TakeChanges(&c.record); store != nil {
				if err := p.said.WriteRow(c.userID, store); err != nil {
					return err
				}
			}
			if unlisted, err := p.isUnlisted(); err != nil {
				return err
			} else if unlisted {
				p.leaveOut()
			} else {
				told = true
				p.diff()
				if err := p.keep(); err != nil {
					return err
				}
			}
		} else {
			p.found.contacts.Forgotten++
			p.settle()
		}
		if p.notes != nil && has[atRows] {
			if err := p.keepNotes(told, forgotten); err != nil {
				return err
			}
		}
		// Not before: what c knows lies in the readers' memory.
		for i := atRecords; i < merged; i++ {
			if !has[i] {
				continue
			}
			if _, err := p.cursors[i].next(c.userID); err != nil {
				return err
			}
		}
	}
}

// keep writes a contact's entry to the plan, if it says something and the contact is not to
// stay parked.
func (p *pass) keep() error {
	e, parked := &p.entry, p.contact.parked
	if err := p.keepLeaving(); err != nil {
		return err
	}
	switch {
	case parked == nil && e.Empty():
		return nil
	case parked == nil:
	case e.Empty() && slices.ContainsFunc(p.damped, dampedChange.waits):
		return nil
	case e.Empty():
		p.settle()
		return nil
	case parked.Wanted == e.WantedHash():
		p.wait()
		return nil
	case !p.whole():
		p.wait()
		p.found.postponed = true
		return nil
	default:
		p.found.retried++
	}
	p.found.count(e)
	p.countAlone()
	if p.Request.Traces {
		p.contact.trace(e)
	}
	return p.part.Write(e)
}
