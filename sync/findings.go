package sync

import (
	"time"

	"gleapsync/gleap"
	"gleapsync/internal/inputs"
	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
)

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
	f.contacts.Unknown += other.contacts.Unknown
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

// differing returns how many contacts got different values for a field from several
// exports, by Gleap's name of the field. The first export of the configuration wins.
func (f *findings) differing(fields []inputs.Field) map[string]int {
	all := map[string]int{}
	for i, n := range f.differ {
		if n > 0 {
			all[fields[i].Field.String()] = n
		}
	}
	return all
}

// tally counts contacts that have a value of an attribute, before and after, and changes.
type tally struct {
	// Of a delta export members are those whose rows are other ones now, less those of them before.
	before, members int
	moves
	left              int       // contacts that are to be told a value
	waiting           moves     // of these changes: those of contacts that stay parked
	unlisted          int       // contacts with a value that may not be created
	kept              int       // members of whom the export says neither true nor false
	withheld          int       // exits and clears that are not told, and none of the others
	retyped           int       // values that are sent again as another type, and no changes
	mended            int       // values of changes that an audit found to be wrong
	damped            int       // changes that make no call
	due               time.Time // when the first of these is, that are held back for their time
	alone, aloneDelta int       // contacts that are called for nothing else, and those of them with a change
}

func (t *tally) add(other tally) {
	t.damped += other.damped
	t.mended += other.mended
	t.kept += other.kept
	t.due = earlier(t.due, other.due)
	t.left += other.left
	t.alone += other.alone
	t.aloneDelta += other.aloneDelta
	t.before += other.before
	t.members += other.members
	t.moves.add(other.moves)
	t.waiting.add(other.waiting)
	t.withheld += other.withheld
	t.unlisted += other.unlisted
	t.retyped += other.retyped
}

// moves counts changes of an attribute.
type moves struct{ entered, exited, changed int }

func (n *moves) add(other moves) {
	n.entered += other.entered
	n.exited += other.exited
	n.changed += other.changed
}

// less returns the changes without some of them.
func (n moves) less(some moves) moves {
	return moves{n.entered - some.entered, n.exited - some.exited, n.changed - some.changed}
}

// earlier returns the earlier one of two times, of which the zero one stands for none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
