package sync

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"gleapsync/gleap"
	"gleapsync/internal/attr"
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
	for _, e := range p.exports {
		if e.rows != nil && e.usable() {
			streams = append(streams, e.rows.stream())
			sources = append(sources, e)
		}
	}
	if len(streams) == 0 && !p.resyncing() {
		return nil
	}
	rows, records := newMerger(streams), p.runner.store.Records()
	c := &contact{
		wanted:  make([]said[attr.Value], len(p.byID)),
		present: make([]said[bool], len(p.exports)),
		fields:  make([]said[[]byte], len(columns(p.runner.o.Fields))),
	}
	parked := p.parked
	var e entry
	more, known := rows.next(), records.Next()
	for n := 0; more || known; n++ {
		if n&0xfff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		order := -1 // of the next row's id and the next record's
		switch {
		case !more:
			order = 1
		case known:
			order = bytes.Compare(rows.userID(), records.UserID())
		}
		if order <= 0 {
			c.start(rows.userID())
		} else {
			c.start(records.UserID())
		}
		if order >= 0 {
			c.known = true
			if err := c.record.Decode(records.Record()); err != nil {
				return fmt.Errorf("%w: run gleapsync verify", err)
			}
		}
		for order <= 0 && more && bytes.Equal(rows.userID(), c.userID) {
			if err := c.add(sources[rows.source()], rows.payload()); err != nil {
				return err
			}
			more = rows.next()
		}
		to := p.diff(c, &e)
		if order >= 0 {
			known = records.Next() // what c knows lies in the reader's memory
		}
		if e.empty() {
			continue
		}
		for len(parked) > 0 && parked[0].UserID < string(c.userID) {
			parked = parked[1:]
		}
		if len(parked) > 0 && parked[0].UserID == string(c.userID) {
			if parked[0].Wanted == e.wantedHash() {
				continue
			}
			p.retried++
		}
		if err := p.write(to, &e); err != nil {
			return err
		}
	}
	return errors.Join(rows.err(), records.Err())
}

// reset forgets what an earlier merge found, but for the attributes that it led to
// be held.
func (p *plan) reset() {
	for i := range p.segments {
		p.segments[i].close()
	}
	for _, a := range p.attributes {
		if a.active() {
			a.before, a.members, a.entered, a.exited, a.changed = 0, 0, 0, 0, 0
		}
	}
	p.contacts, p.calls, p.retried = ContactCounts{}, 0, 0
	p.leftOut = [gleap.LastPageView + 1]int{}
}
