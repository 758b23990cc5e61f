package push

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"time"

	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
)

// loop takes answers to the state, and feeds the senders with what may be sent next.
type loop struct {
	o        *Options
	plan     *Plan
	report   *runs.Report
	result   *Result
	feeder   *feeder
	slicer   *slicer // nil: there is no replica
	refusals refusals
	course   *course
	batch    batch
	outbox   *outbox
	contacts reasons // why they are parked
	events   reasons

	pace    []byte // as it was written last
	calls   int    // of the course, as they were written last
	failed  error  // nothing can be written any more
	stopped error  // it makes no sense to send more; what Gleap took is still written
}

func newLoop(ctx context.Context, o *Options, plan *Plan, report *runs.Report, result *Result) *loop {
	l := &loop{
		o: o, plan: plan, report: report, result: result,
		feeder: newFeeder(plan.File.Read(plan.Before), 2*o.Concurrency),
		course: newCourse(plan.Before, plan.Run, plan.File.Counts()),
		outbox: newOutbox(), contacts: reasons{what: "a contact"}, events: reasons{what: "an event"},
	}
	if o.Replica != nil {
		l.slicer, l.feeder.granted = newSlicer(ctx, o, plan.File.Read(plan.Before)), 0
	}
	return l
}

// run takes answers until their channel is closed. If writing fails, or if it makes no sense to
// go on, it stops the sending.
func (l *loop) run(answers <-chan answer, stop context.CancelCauseFunc) error {
	tick := time.NewTicker(commitEvery)
	defer tick.Stop()
	l.flush()
	for more := true; more; {
		if err := cmp.Or(l.failed, l.stopped); err != nil {
			stop(err)
		}
		var a answer
		select {
		case a, more = <-answers:
			if more {
				l.take(&a)
			} else {
				l.end()
			}
			if a.committed != nil {
				l.flush()
				a.committed <- l.failed
			}
		case <-tick.C:
			l.flush()
		case err := <-l.slicer.result():
			l.stopped = cmp.Or(l.stopped, l.slicer.take(l.feeder, err))
			l.flush()
		}
	}
	return cmp.Or(l.failed, l.stopped)
}

// take takes an answer.
func (l *loop) take(a *answer) {
	if a.isLast() {
		l.feeder.answered(a.entry)
	}
	switch {
	case l.failed != nil: // what is not written is planned again
		return
	case a.ack != nil:
		l.acknowledge(a)
	case a.refused != nil:
		l.refuse(a.refused)
	case a.entry != nil:
		l.noteNotTaken(a.entry.UserID)
		return
	default:
		l.track(a.events)
		return
	}
	if l.feeder.grow() || l.batch.isFull() {
		l.flush()
	}
}

func (l *loop) acknowledge(a *answer) {
	l.park(l.refusals.prove())
	l.course.calls++
	l.batch.acknowledge(a.ack, a.entry.Class)
	if a.ack.Last {
		l.course.end(a.entry.UserID)
		l.o.Meter.Add(1)
	}
}

// refuse takes a refusal. Whether the contact is parked or not, the run came to it: else the
// next one would come to nobody behind it.
func (l *loop) refuse(r *refusal) {
	if l.stopped != nil { // it is planned again
		return
	}
	l.course.calls++
	l.course.end(r.left.UserID)
	if l.refusals.proven || l.plan.WasParked(r.UserID) {
		l.park([]*refusal{r})
		return
	}
	park, err := l.refusals.add(r)
	l.park(park)
	if err != nil {
		l.stopped = err
		l.flush()
	}
}

func (l *loop) park(refused []*refusal) {
	for _, r := range refused {
		l.batch.park(r)
		l.noteNotTaken(r.left.UserID)
		l.o.Meter.Add(1)
		l.contacts.add(l.o.Log, r.Reason)
	}
}

func (l *loop) track(t *tracked) {
	if t == nil { // somebody waits for the answers before
		return
	}
	l.batch.track(t)
	if t.refused {
		l.report.Calls.Refused++
	}
	if t.parked != nil {
		l.events.add(l.o.Log, t.parked.Reason)
	}
}

// noteNotTaken notes that Gleap took nothing of what was to be sent of a contact. What it
// may have from another run, it may still have.
func (l *loop) noteNotTaken(userID []byte) {
	if !l.plan.WasUnanswered(userID) {
		l.batch.NotTaken = append(l.batch.NotTaken, userID)
	}
}

// end writes what is left to be written, once all answers are there.
func (l *loop) end() {
	defer l.contacts.end(l.o.Log)
	defer l.events.end(l.o.Log)
	defer l.slicer.end()
	if l.failed != nil {
		return
	}
	if l.result.Delivered { // else nothing is proven
		l.park(l.refusals.prove())
	}
	for _, r := range l.refusals.first { // though it is not parked
		l.noteNotTaken(r.left.UserID)
	}
	for _, e := range l.feeder.end() {
		l.noteNotTaken(e.UserID)
	}
	l.flush()
}

// flush writes the batch and what is to be sent next. Only then the senders and the tracker
// have it.
func (l *loop) flush() {
	if l.failed == nil {
		entries := l.announce()
		if l.failed = l.commit(); l.failed != nil {
			entries = nil
		}
		l.feeder.hand(entries)
		if l.failed == nil && l.stopped == nil {
			l.stopped = l.slicer.advance(l.feeder)
		}
	}
	l.outbox.offer()
}

// announce adds to the batch what may be sent next.
func (l *loop) announce() []*planfile.Entry {
	if l.stopped != nil {
		return nil
	}
	entries, err := l.feeder.read()
	l.stopped = err
	for _, e := range entries {
		l.course.begin(e.UserID, e.Class)
		l.batch.Announced = append(l.batch.Announced, e.Announced())
	}
	return entries
}

// commit writes the batch, and if there is nothing in it the pace, as far as it changed.
func (l *loop) commit() error {
	pace := Pace(l.o.Client, true)
	if l.batch.isEmpty() && l.calls == l.course.calls && bytes.Equal(pace, l.pace) {
		return l.o.Ledger.CheckLock() // else a run that waits would go on behind another one
	}
	l.course.commit(l.batch.done)
	l.batch.Pace = pace
	if l.plan.TakesTurns {
		l.batch.Turns = l.course.turns()
	}
	l.batch.Run = l.plan.Run
	if err := l.logDeliveries(); err != nil {
		return err
	}
	due, err := l.o.Ledger.Commit(l.batch.Delivery)
	if err != nil {
		return fmt.Errorf("commit to the state: %w", err)
	}
	l.outbox.add(due)
	l.pace, l.calls, l.result.Turns = pace, l.course.calls, l.batch.Turns
	l.batch.count(l.report, l.result)
	l.slicer.commit(&l.batch)
	l.o.Log.Debug("committed", "calls", len(l.batch.Acks), "parked", len(l.batch.Parked), "remaining", l.report.Contacts.Remaining)
	l.batch.reset()
	return nil
}
