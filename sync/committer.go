package sync

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"gleapsync/gleap"
	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

const (
	// commitEvery bounds what is sent twice after a crash.
	commitEvery = 500 * time.Millisecond
	// commitAt bounds the memory for what is not committed yet.
	commitAt = 20_000
	// mostWaiting bounds the memory for events that wait for the tracker.
	mostWaiting = 20_000
	// mostOpen and mostOpenBytes bound what the state has of calls that may be begun.
	mostOpen      = 20_000
	mostOpenBytes = 1 << 20
)

// outcome is what became of one call.
type outcome struct {
	class   runs.Class // of the contact
	ack     state.Acknowledgement
	parked  *state.Parked   // if Gleap refused the call
	untold  int             // events of the contact that are not due, since its call was refused
	left    state.Announced // what is not told for that
	untaken []byte          // the contact of whom Gleap took nothing, since the run ends
	size    int             // of the contact's entry, once all is known of it

	sent     []state.Event       // that Gleap acknowledged
	refused  []state.ParkedEvent // that it refused
	refusals int                 // requests with events that it refused

	committed chan<- error // is told once all up to here is committed; nil: it may wait
}

// committer collects outcomes and writes them to the state, in batches.
type committer struct {
	runner   *Runner
	plan     *plan
	report   *runs.Report
	cutShort bool // not all was sent; set before the outcomes' channel is closed
	acks     []state.Acknowledgement
	sent     int               // contacts whose last call is among acks
	done     [runs.Classes]int // the same and those among parked
	untolds  []state.Announced // what those among parked were not told
	parked   []state.Parked
	tracked  []state.Event       // that Gleap acknowledged
	refused  []state.ParkedEvent // that it refused
	requests int                 // with the tracked ones
	refusals int                 // of requests with events
	untold   int                 // events that are not to be sent any more
	ready    chan<- []state.Event
	waiting  []state.Event // may be sent, and the tracker did not take them yet
	// The run's first refusals are not parked until another answer proves that it is
	// the contacts that Gleap refuses, and not the project or the configuration.
	first  []outcome
	proven bool
	pace   []byte // as it was written last

	entries  *planfile.Reader // nil: no more of them are to be begun
	course   *course
	calls    int                  // of the course, as they were written last
	begun    chan *planfile.Entry // those whose calls may be made, since the state has them
	open     int                  // how many were put there whose outcome did not come yet
	openSize int                  // their bytes
	mayOpen  int                  // how many may be: few, since Gleap may have each of them after a crash
	allBegun bool                 // begun is closed
	notTaken [][]byte             // contacts of whom Gleap took nothing
	failed   error                // nothing can be written any more
	stopped  error                // it makes no sense to send more; what Gleap took is still written
}

// sameRefusals is how many equal refusals at the start of a run end it.
const sameRefusals = 20

// run writes outcomes until their channel is closed. If that fails, or if it makes no
// sense to go on, it stops the sending and writes no more.
func (c *committer) run(outcomes <-chan outcome, stop context.CancelCauseFunc) error {
	tick := time.NewTicker(commitEvery)
	defer tick.Stop()
	c.flush()
	for more := true; more; {
		if err := cmp.Or(c.failed, c.stopped); err != nil {
			stop(err)
		}
		var o outcome
		select {
		case o, more = <-outcomes:
			if more {
				c.add(o)
			} else {
				c.end()
			}
			if o.committed != nil {
				c.flush()
				o.committed <- c.failed
			}
		case <-tick.C:
			c.flush()
		}
	}
	return cmp.Or(c.failed, c.stopped)
}

func (c *committer) add(o outcome) {
	if o.size > 0 {
		c.open--
		c.openSize -= o.size
	}
	switch {
	case c.failed != nil || c.stopped != nil && o.parked != nil: // what is not written is planned again
		return
	case o.ack.UserID != nil:
		c.prove()
		c.course.calls++
		c.acks = append(c.acks, o.ack)
		if o.ack.Last {
			c.course.end(o.ack.UserID)
			c.done[o.class]++
			c.sent++
			c.runner.meter.Add(1)
		}
	case o.untaken != nil:
		c.noteNotTaken(o.untaken)
		return
	case o.parked == nil:
		c.addEvents(o)
		return
	case c.proven || c.plan.isParked(o.parked.UserID):
		c.answer(o)
		c.park(o)
	default:
		c.answer(o)
		c.first = append(c.first, o)
		if o.parked.Status != c.first[0].parked.Status {
			c.prove()
		} else if len(c.first) == sameRefusals {
			c.stopAtFirst()
			return
		}
	}
	switch {
	case c.entries != nil && c.open < c.mayOpen/2 && c.openSize < mostOpenBytes/2:
		c.mayOpen = min(2*c.mayOpen, mostOpen) // they did not last from tick to tick
		c.flush()
	case len(c.acks)+len(c.parked) >= commitAt:
		c.flush()
	}
}

// next reads entries whose calls are to be made next.
func (c *committer) next() (entries []*planfile.Entry, announced []state.Announced) {
	for c.entries != nil && c.stopped == nil && c.open < c.mayOpen && c.openSize < mostOpenBytes {
		e, err := c.entries.Next()
		if err == io.EOF {
			c.entries = nil
			continue
		}
		if err != nil {
			c.stopped = err
			continue
		}
		c.course.begin(e.UserID, e.Class)
		entries = append(entries, e)
		announced = append(announced, e.Announced())
		c.open++
		c.openSize += e.Size
	}
	return entries, announced
}

// hand lets the workers have entries that the state has.
func (c *committer) hand(entries []*planfile.Entry) {
	for _, e := range entries {
		c.begun <- e
	}
	if c.entries == nil && !c.allBegun {
		close(c.begun)
		c.allBegun = true
	}
}

// takeBack notes of which contacts no call was begun.
func (c *committer) takeBack() {
	for {
		select {
		case next, more := <-c.begun:
			if !more {
				return
			}
			c.noteNotTaken(next.UserID)
		default:
			return
		}
	}
}

// noteNotTaken notes that Gleap took nothing of what was to be sent of a contact. What it
// may have from another run, it may still have.
func (c *committer) noteNotTaken(userID []byte) {
	if _, before := c.plan.findUnanswered(userID); !before {
		c.notTaken = append(c.notTaken, userID)
	}
}

// answer notes that Gleap refused a contact. Whether it is parked or not, the run came to it:
// else the next one would come to nobody behind it.
func (c *committer) answer(o outcome) {
	c.course.calls++
	c.course.end([]byte(o.parked.UserID))
}

func (c *committer) addEvents(o outcome) {
	c.tracked, c.refused = append(c.tracked, o.sent...), append(c.refused, o.refused...)
	c.refusals += o.refusals
	if len(o.sent) > 0 {
		c.requests++
	}
	for _, e := range o.refused {
		c.runner.log.Warn("an event is parked", "reason", e.Reason)
	}
}

// stopAtFirst ends the run after nothing but equal refusals. These contacts are parked so
// that the next run tries them again but does not stop for them: if it is they that are
// wrong, the others must not wait for ever.
func (c *committer) stopAtFirst() {
	reason := c.first[0].parked.Reason
	for _, o := range c.first {
		o.parked.Wanted = 0
	}
	c.prove()
	c.entries = nil
	c.flush()
	if c.failed == nil {
		c.stopped = &gleap.StopError{Reason: fmt.Sprintf(
			"%s: so it was for each of the first %d contacts, so the others were not tried: look at gleap.base_url and at what the exports send", reason, sameRefusals)}
	}
}

// prove parks the first refusals.
func (c *committer) prove() {
	c.proven = true
	for _, o := range c.first {
		c.park(o)
	}
	c.first = nil
}

func (c *committer) park(o outcome) {
	c.parked = append(c.parked, *o.parked)
	c.done[o.class]++
	c.untolds = append(c.untolds, o.left)
	c.noteNotTaken([]byte(o.parked.UserID))
	c.untold += o.untold
	c.runner.meter.Add(1)
	c.runner.log.Warn("a contact is parked", "reason", o.parked.Reason)
}

func (c *committer) end() {
	if c.failed != nil {
		return
	}
	if !c.cutShort { // else nothing is proven
		c.prove()
	}
	for _, o := range c.first { // though it is not parked
		c.noteNotTaken([]byte(o.parked.UserID))
	}
	c.entries = nil // no more is begun
	c.takeBack()
	c.flush()
}

// flush writes what was collected, and if nothing was the pace, as far as it changed.
func (c *committer) flush() {
	defer c.offer()
	pace := c.runner.pace(true)
	c.report.Calls.Refused += c.refusals
	c.refusals = 0
	if c.failed != nil {
		return
	}
	entries, announced := c.next()
	defer func() { c.hand(entries) }()
	if len(c.acks)+len(c.parked)+len(c.tracked)+len(c.refused)+len(announced)+len(c.notTaken) == 0 && c.calls == c.course.calls && bytes.Equal(pace, c.pace) {
		c.failed = c.runner.ledger.CheckLock() // else a run that waits would go on behind another one
		return
	}
	c.course.commit(c.done)
	var turns *state.Turns
	if c.plan.takesTurns {
		turns = c.course.turns()
	}
	due, err := c.runner.ledger.Commit(state.Delivery{
		Acks: c.acks, Parked: c.parked, Events: c.tracked, RefusedEvents: c.refused, Pace: pace, Announced: announced, NotTaken: c.notTaken,
		Turns: turns,
	})
	if err != nil {
		c.failed = fmt.Errorf("commit to the state: %w", err)
		entries = nil
		return
	}
	c.notTaken = nil
	if len(c.waiting)+len(due) <= mostWaiting { // the others are sent after all calls
		c.waiting = append(c.waiting, due...)
	}
	c.pace = pace
	c.plan.turnsAfter = turns
	c.calls = c.course.calls
	for _, ack := range c.acks {
		c.plan.told(ack.Attributes)
		for _, f := range ack.Fields {
			c.plan.fields[f.Field]--
		}
	}
	for _, untold := range c.untolds {
		c.plan.told(untold.Attributes)
		for _, f := range untold.Fields {
			c.plan.fields[f]--
		}
	}
	c.report.Done(c.done)
	c.done, c.untolds = [runs.Classes]int{}, c.untolds[:0]
	contacts := &c.report.Contacts
	c.report.Calls.Identify += len(c.acks)
	c.report.Calls.Refused += len(c.parked)
	contacts.Sent += c.sent
	contacts.Remaining -= c.sent + len(c.parked)
	c.runner.log.Debug("committed", "calls", len(c.acks), "parked", len(c.parked), "remaining", contacts.Remaining)
	c.acks, c.parked, c.sent = c.acks[:0], c.parked[:0], 0
	events := &c.report.Events
	c.report.Calls.Track += c.requests
	events.Sent += len(c.tracked)
	events.Refused += len(c.refused)
	events.Remaining -= len(c.tracked) + len(c.refused) + c.untold
	c.tracked, c.refused, c.requests, c.untold = c.tracked[:0], c.refused[:0], 0, 0
}

// offer lets the tracker have the events that may be sent now, unless it is at others.
func (c *committer) offer() {
	if len(c.waiting) == 0 {
		return
	}
	select {
	case c.ready <- c.waiting:
		c.waiting = nil
	default:
	}
}
