package sync

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/state"
)

// decide merges until no guard speaks up any more.
func (p *plan) decide(ctx context.Context, request Request) error {
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
			if l, ok := request.MaxExits[a.Key]; ok {
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

// merge passes over all exports and all records and writes the plan.
func (p *plan) merge(ctx context.Context) error {
	p.reset()
	var streams []stream
	var sources []*export
	buffer := p.readersBuffer()
	for _, e := range p.exports {
		if e.rows != nil && e.usable() {
			streams = append(streams, e.rows.stream(buffer))
			sources = append(sources, e)
		}
	}
	if len(streams) == 0 && !p.resyncing() {
		return nil
	}
	rows, records := prefetch(newMerger(streams, sharedByAll(sources))), p.runner.store.Records()
	defer rows.stop()
	defer records.Close()
	c := &contact{
		wanted:  make([]said[attr.Value], len(p.byID)),
		old:     make([]uint32, len(p.byID)),
		present: make([]said[bool], len(p.exports)),
		fields:  make([]said[[]byte], len(columns(p.runner.o.Fields))),
	}
	parked := &parkedQueue{all: p.parked}
	if p.assume || p.alone {
		parked.all = nil // they are tried too
	}
	var e entry
	userID, more := rows.next()
	known := records.Next()
	for n := 0; more || known; n++ {
		if n&0xfff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		order := -1 // of the next row's id and the next record's
		switch {
		case !more && rows.err() != nil:
			return rows.err() // what is missing must not look absent
		case !more:
			order = 1
		case known:
			order = bytes.Compare(userID, records.UserID())
		}
		if order <= 0 {
			c.start(userID)
			for {
				source, payload, ok := rows.row()
				if !ok {
					break
				}
				if err := c.add(sources[source], payload); err != nil {
					return err
				}
			}
		} else {
			c.start(records.UserID())
		}
		if order >= 0 {
			c.known = true
			if err := c.record.Decode(records.Record()); err != nil {
				return err
			}
		}
		if c.known || !p.forgotten.Has(c.userID) {
			to := p.diff(c, &e)
			if err := p.keep(to, &e, parked); err != nil {
				return err
			}
		} else {
			p.contacts.Forgotten++
		}
		// Not before: what c holds lies in the memory of both.
		if order <= 0 {
			userID, more = rows.next()
		}
		if order >= 0 {
			known = records.Next()
		}
	}
	if err := errors.Join(rows.err(), records.Err()); err != nil {
		return err
	}
	p.settle(parked.rest()...)
	return nil
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

// keep writes a contact's entry to the plan, if it says something and the contact is
// not to stay parked.
func (p *plan) keep(to class, e *entry, parked *parkedQueue) error {
	left, refused := parked.pass(e.userID)
	p.settle(left...)
	switch {
	case refused == nil && e.empty():
		return nil
	case refused == nil:
	case e.empty():
		p.settle(*refused)
		return nil
	case refused.Wanted == e.wantedHash():
		return nil
	case !p.whole():
		p.postponed = true
		return nil
	default:
		p.retried++
	}
	return p.write(to, e)
}

// settle ends the parking of contacts of whom nothing is wanted any more. With some
// of the exports only, nobody knows that.
func (p *plan) settle(parked ...state.Parked) {
	if len(parked) == 0 || !p.whole() {
		return
	}
	for _, c := range parked {
		p.unpark = append(p.unpark, c.UserID)
	}
}

// parkedQueue holds the parked contacts in the order of the merge.
type parkedQueue struct{ all []state.Parked }

// pass returns the parked contacts before userID, of whom nothing was heard, and the
// one of that id.
func (q *parkedQueue) pass(userID []byte) (before []state.Parked, same *state.Parked) {
	n := 0
	for n < len(q.all) && q.all[n].UserID < string(userID) {
		n++
	}
	before, q.all = q.all[:n], q.all[n:]
	if len(q.all) > 0 && q.all[0].UserID == string(userID) {
		same, q.all = &q.all[0], q.all[1:]
	}
	return before, same
}

func (q *parkedQueue) rest() []state.Parked { return q.all }

// reset forgets what an earlier merge found, but for the attributes that it led to
// be held.
func (p *plan) reset() {
	for i := range p.segments {
		p.segments[i].close()
	}
	for _, a := range p.attributes {
		a.counts = a.active()
		if a.counts {
			a.before, a.members, a.entered, a.exited, a.changed = 0, 0, 0, 0, 0
		}
	}
	p.contacts, p.calls, p.retried, p.unpark = ContactCounts{}, 0, 0, nil
	p.postponed, p.fieldsPostponed = false, false
	p.leftOut = [gleap.LastPageView + 1]int{}
	p.fieldsComplete = !slices.ContainsFunc(p.exports, (*export).mayHoldFieldsBack)
}
