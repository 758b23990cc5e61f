package sync

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// pass goes over the contacts of a span of the user ids, and writes its part of the plan.
// Several go on at a time: what they share they only read.
type pass struct {
	*plan
	parked  parkedQueue
	part    *planfile.Part // of the plan file
	said    extsort.Spool  // what is to be stored of change exports: user ids, each with its changes
	found   findings
	tallies []tally // by attribute id

	unanswered []state.Unanswered // of the contacts that are not passed yet
	contact    contact
	entry      planfile.Entry
	reasons    int            // attributes in it that are worth a call
	reason     uint32         // the last one of these
	damped     []dampedChange // that go along if the contact is called for something else
	encoded    []byte         // what is to be stored that was written last

	_ [apart]byte
}

// findings is what the passes over the contacts find, in all.
type findings struct {
	contacts runs.ContactCounts
	calls    int
	fields   [gleap.LastPageView + 1]int  // contacts that are told of a field
	hasField [gleap.LastPageView + 1]bool // that some contact has in the exports
	news     int                          // events
	retried  int                          // parked contacts of whom something else is wanted now
	unpark   []string                     // parked contacts of whom nothing is wanted any more
	// A parked contact has to wait until all exports are looked at.
	postponed bool
	// Some contact's fields may have to be sent once all exports that have some are.
	fieldsPostponed bool
	leftOut         [gleap.LastPageView + 1]int
	differ          [gleap.LastPageView + 1]int // by place in [Options.Fields]: contacts of which exports say different things
}

// count counts an entry of the plan.
func (f *findings) count(e *planfile.Entry) {
	f.contacts.Planned++
	if e.Class.IsDelta() {
		f.contacts.Delta++
	} else {
		f.contacts.Backfill++
	}
	f.calls += e.Calls()
	f.news += len(e.News)
	for _, field := range e.Fields {
		f.fields[field.Field]++
	}
}

func (f *findings) add(other *findings) {
	for field := range f.fields {
		f.fields[field] += other.fields[field]
		f.hasField[field] = f.hasField[field] || other.hasField[field]
	}
	f.contacts.Planned += other.contacts.Planned
	f.contacts.Delta += other.contacts.Delta
	f.contacts.Backfill += other.contacts.Backfill
	f.contacts.Forgotten += other.contacts.Forgotten
	f.calls += other.calls
	f.news += other.news
	f.retried += other.retried
	f.unpark = append(f.unpark, other.unpark...)
	f.postponed = f.postponed || other.postponed
	f.fieldsPostponed = f.fieldsPostponed || other.fieldsPostponed
	for field, n := range other.leftOut {
		f.leftOut[field] += n
	}
	for field, n := range other.differ {
		f.differ[field] += n
	}
}

// tally counts contacts that have a value of an attribute, before and after, and changes.
type tally struct {
	before, members, entered, exited, changed int
	withheld                                  int       // exits and clears that are not told, and none of the others
	retyped                                   int       // values that are sent again as another type, and no changes
	damped                                    int       // changes that make no call
	due                                       time.Time // when the first of these is, that are held back for their time
	left                                      int       // contacts that are to be told a value
	alone, aloneDelta                         int       // contacts that are called for nothing else, and those of them with a change
}

func (t *tally) add(other tally) {
	t.damped += other.damped
	t.due = earlier(t.due, other.due)
	t.left += other.left
	t.alone += other.alone
	t.aloneDelta += other.aloneDelta
	t.before += other.before
	t.members += other.members
	t.entered += other.entered
	t.exited += other.exited
	t.changed += other.changed
	t.withheld += other.withheld
	t.retyped += other.retyped
}

// earlier returns the earlier one of two times, of which the zero one stands for none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// apart is how far what two passes write has to lie apart, in bytes: processors that write
// to the same line of their caches wait for each other.
const apart = 128

// makeApart returns a slice with that much behind it.
func makeApart[T any](n int) []T { return make([]T, n, n+apart) }

func newPass(p *plan, span extsort.Span) *pass {
	pass := &pass{
		plan:    p,
		part:    p.file.Add(p.turns, p.runner.temp),
		tallies: makeApart[tally](len(p.byID)),
		contact: contact{
			wanted:  makeApart[said[attr.Value]](len(p.byID)),
			old:     makeApart[uint32](len(p.byID)),
			tried:   makeApart[uint32](len(p.byID)),
			silent:  makeApart[uint32](len(p.byID)),
			present: makeApart[said[bool]](len(p.exports)),
			fields:  makeApart[said[fieldText]](len(columns(p.runner.o.Fields))),
			differ:  makeApart[uint32](len(columns(p.runner.o.Fields))),
			changed: changed{fields: makeApart[fieldChange](len(p.runner.o.Fields))},
		},
	}
	from, _ := p.findUnanswered(span.From)
	to := len(p.unanswered)
	if span.To != nil {
		to, _ = p.findUnanswered(span.To)
	}
	pass.unanswered = p.unanswered[from:to]
	pass.said.Create = p.runner.temp
	if !p.assume && !p.alone { // else they are tried too
		pass.parked.all = parkedIn(p.parked, span)
	}
	return pass
}

// run merges rows, records, what change exports said before and what is unanswered, all of
// which are in the order of the user ids.
func (p *pass) run(ctx context.Context, rows *extsort.Merger, sources []*export, records, changes *state.Records) error {
	c := &p.contact
	userID, payload, more := rows.Next()
	known, said := records.Next(), changes.Next()
	for n := 0; more || known || said || len(p.unanswered) > 0; n++ {
		if n&0xfff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		order := -1 // of the next row's id and the next record's
		switch {
		case !more:
			order = 1
		case known:
			order = bytes.Compare(userID, records.UserID())
		}
		inRows, inRecords, inChanges := more && order <= 0, known && order >= 0, false
		least := userID
		if inRecords {
			least = records.UserID()
		}
		if said {
			order := -1 // of the next changes' id and the least
			if more || known {
				order = bytes.Compare(changes.UserID(), least)
			}
			if inChanges = order <= 0; order < 0 {
				inRows, inRecords, least = false, false, changes.UserID()
			}
		}
		var unanswered *state.Unanswered
		if len(p.unanswered) > 0 {
			order := -1
			if more || known || said {
				order = bytes.Compare(p.unanswered[0].UserID, least)
			}
			if order <= 0 {
				unanswered, p.unanswered = &p.unanswered[0], p.unanswered[1:]
			}
			if order < 0 {
				inRows, inRecords, inChanges, least = false, false, false, unanswered.UserID
			}
		}
		c.start(least)
		c.unanswered = unanswered
		if inChanges {
			if err := p.decodeChanges(changes.Record()); err != nil {
				return err
			}
		}
		if inRows {
			for more && bytes.Equal(userID, c.userID) {
				if err := c.add(p.plan, sources[rows.Source()], payload); err != nil {
					return err
				}
				userID, payload, more = rows.Next()
			}
		}
		if !more && rows.Err() != nil {
			return rows.Err() // what is missing must not look absent
		}
		if inRecords {
			c.known = true
			if err := c.record.Decode(records.Record()); err != nil {
				return err
			}
		}
		if c.known || !p.forgotten.Has(c.userID) {
			if err := p.takeChanges(); err != nil {
				return err
			}
			p.diff()
			if err := p.keep(); err != nil {
				return err
			}
		} else {
			p.found.contacts.Forgotten++
		}
		// Not before: what c knows lies in the readers' memory.
		if inRecords {
			known = records.Next()
		}
		if inChanges {
			said = changes.Next()
		}
	}
	if err := errors.Join(rows.Err(), records.Err(), changes.Err()); err != nil {
		return err
	}
	p.settle(p.parked.all...)
	return nil
}

// keep writes a contact's entry to the plan, if it says something and the contact is
// not to stay parked.
func (p *pass) keep() error {
	e := &p.entry
	left, refused := p.parked.pass(e.UserID)
	p.settle(left...)
	switch {
	case refused == nil && e.Empty():
		return nil
	case refused == nil:
	case e.Empty() && slices.ContainsFunc(p.damped, dampedChange.waits):
		return nil
	case e.Empty():
		p.settle(*refused)
		return nil
	case refused.Wanted == e.WantedHash():
		return nil
	case !p.whole():
		p.found.postponed = true
		return nil
	default:
		p.found.retried++
	}
	return p.write()
}

// write adds the entry to the plan.
func (p *pass) write() error {
	p.found.count(&p.entry)
	p.countAlone()
	return p.part.Write(&p.entry)
}

// countAlone counts what each attribute costs.
func (p *pass) countAlone() {
	for _, c := range p.entry.Attributes {
		p.tallies[c.ID].left++
	}
	if p.reasons != 1 || p.contact.known && len(p.entry.Fields) > 0 {
		return
	}
	t := &p.tallies[p.reason]
	t.alone++
	if p.entry.Class.IsDelta() {
		t.aloneDelta++
	}
}

// settle ends the parking of contacts of whom nothing is wanted any more. With some
// of the exports only, nobody knows that.
func (p *pass) settle(parked ...state.Parked) {
	if len(parked) == 0 || !p.whole() {
		return
	}
	for _, c := range parked {
		p.found.unpark = append(p.found.unpark, c.UserID)
	}
}

// parkedQueue holds the parked contacts in the order of the merge.
type parkedQueue struct{ all []state.Parked }

// parkedIn returns the parked contacts of a span.
func parkedIn(all []state.Parked, span extsort.Span) []state.Parked {
	from := searchParked(all, string(span.From))
	if span.To == nil {
		return all[from:]
	}
	return all[from:searchParked(all, string(span.To))]
}

// pass returns the parked contacts before userID, of whom nothing was heard, and the
// one of that id.
func (q *parkedQueue) pass(userID []byte) (before []state.Parked, same *state.Parked) {
	if len(q.all) == 0 {
		return nil, nil
	}
	n := searchParked(q.all, string(userID))
	before, q.all = q.all[:n], q.all[n:]
	if len(q.all) > 0 && q.all[0].UserID == string(userID) {
		same, q.all = &q.all[0], q.all[1:]
	}
	return before, same
}

// searchParked returns where userID stands, or would.
func searchParked(all []state.Parked, userID string) int {
	n, _ := slices.BinarySearchFunc(all, userID, func(c state.Parked, id string) int { return cmp.Compare(c.UserID, id) })
	return n
}
