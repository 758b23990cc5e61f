package sync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"gleapsync/gleap"
	"gleapsync/internal/extsort"
	"gleapsync/state"
)

// tracker sends the events that are due, in batches. One batch goes after another, each
// once the one before is committed, so that a crash repeats one batch at most.
//
// While the calls of the plan go on, it sends the events of contacts that have none, and of
// those whose calls are over. After them it sends all that is left.
type tracker struct {
	runner     *Runner
	plan       *plan
	outcomes   chan<- outcome
	ready      <-chan []state.Event // of contacts whose calls are over; not of all of them
	identified <-chan struct{}      // closed once the calls of the plan are over

	batch []state.Event
	size  int       // of the batch in bytes
	since time.Time // when the first event came into the batch

	rest     bool // the calls of the plan are over, only events are left
	accepted bool // Gleap took some events
	refused  int  // by Gleap, one by one
	status   int  // with which it refused the first one
}

const (
	// batchAge is how long an event waits for others to go with.
	batchAge = time.Second
	// maxBatchBytes bounds the body of a request.
	maxBatchBytes = 512 << 10
)

// run sends events until none is left. The error is one that ends the sending of events.
func (t *tracker) run(ctx context.Context) error {
	if err := t.sendMeanwhile(ctx); err != nil {
		return err
	}
	o, err := t.runner.store.Overview()
	if err != nil || o.DueEvents == 0 {
		return err
	}
	t.runner.meter.Phase("events", o.DueEvents)
	t.rest = true
	t.batch, t.size = t.batch[:0], 0 // they are still due
	for due := (&dueEvents{store: t.runner.store}); ; {
		e, ok, err := due.next()
		if err != nil {
			return err
		}
		if !ok {
			return t.send(ctx)
		}
		if err := t.add(ctx, e); err != nil {
			return err
		}
	}
}

// sendMeanwhile sends events until the calls of the plan are over.
func (t *tracker) sendMeanwhile(ctx context.Context) error {
	others := t.plan.eventsOfOthers()
	for more := true; ; {
		if !more {
			if err := t.wait(ctx); err != nil {
				return err
			}
		}
		select {
		case <-t.identified:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case events := <-t.ready:
			if err := t.add(ctx, events...); err != nil {
				return err
			}
			continue
		default:
		}
		if !more {
			continue
		}
		e, ok, err := others.next()
		if more = ok; ok {
			err = t.add(ctx, e)
		}
		if err != nil {
			return err
		}
	}
}

// wait waits for more events, and sends the batch when it is too old.
func (t *tracker) wait(ctx context.Context) error {
	var old <-chan time.Time
	if len(t.batch) > 0 {
		timer := time.NewTimer(batchAge - time.Since(t.since))
		defer timer.Stop()
		old = timer.C
	}
	select {
	case <-t.identified:
	case <-ctx.Done():
	case <-old:
		return t.send(ctx)
	case events := <-t.ready:
		return t.add(ctx, events...)
	}
	return nil
}

// add adds events to the batch, and sends it each time that it is full.
func (t *tracker) add(ctx context.Context, events ...state.Event) error {
	for _, e := range events {
		if t.size+len(e.JSON) > maxBatchBytes {
			if err := t.send(ctx); err != nil {
				return err
			}
		}
		if len(t.batch) == 0 {
			t.since = time.Now()
		}
		t.batch, t.size = append(t.batch, e), t.size+len(e.JSON)
		if len(t.batch) >= t.runner.o.Events.Batch {
			if err := t.send(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// send sends the batch.
func (t *tracker) send(ctx context.Context) error {
	batch := t.batch
	t.batch, t.size = nil, 0
	if len(batch) == 0 {
		return nil
	}
	return t.track(ctx, batch)
}

// track sends events in one request. If Gleap refuses it, it sends each half, until those
// that it refuses stand alone; these are parked.
func (t *tracker) track(ctx context.Context, events []state.Event) error {
	bodies := make([][]byte, len(events))
	for i, e := range events {
		bodies[i] = e.JSON
	}
	err := t.runner.client.Track(ctx, bodies)
	var refused *gleap.RefusedError
	switch {
	case err == nil:
		t.accepted = true
		return t.settle(outcome{sent: events})
	case !errors.As(err, &refused):
		return err
	}
	t.outcomes <- outcome{refusals: 1}
	if len(events) > 1 {
		half := len(events) / 2
		if err := t.track(ctx, events[:half]); err != nil {
			return err
		}
		return t.track(ctx, events[half:])
	}
	parked := state.ParkedEvent{Event: events[0], Status: refused.Status, Reason: refused.Error(), Last: now()}
	if err := t.settle(outcome{refused: []state.ParkedEvent{parked}}); err != nil {
		return err
	}
	return t.judge(refused)
}

// judge returns an error after nothing but equal refusals at the start of a run: then it is
// not the events that are wrong, or not they alone.
func (t *tracker) judge(r *gleap.RefusedError) error {
	if t.refused == 0 {
		t.status = r.Status
	}
	t.refused++
	t.accepted = t.accepted || r.Status != t.status // it depends on the event
	if t.accepted || t.refused < sameRefusals {
		return nil
	}
	return &gleap.StopError{Reason: fmt.Sprintf("%s: so it was for each of the first %d events, so the others were not tried: look at gleap.base_url and at what the events hold, then run gleapsync retry", r, sameRefusals)}
}

// settle hands on what became of events, and waits until it is committed.
func (t *tracker) settle(o outcome) error {
	committed := make(chan error, 1)
	o.committed = committed
	t.outcomes <- o
	if t.rest {
		t.runner.meter.Add(len(o.sent) + len(o.refused))
	}
	return <-committed
}

// dueEvents reads the events that are due, slice by slice.
type dueEvents struct {
	store *state.Store
	slice []state.Event
	last  *state.Event
}

// next returns the next event, false if there is none.
func (d *dueEvents) next() (e state.Event, ok bool, err error) {
	if len(d.slice) == 0 {
		if d.slice, err = d.store.Due(d.last); err != nil || len(d.slice) == 0 {
			return e, false, err
		}
	}
	e, d.slice = d.slice[0], d.slice[1:]
	d.last = &e
	return e, true, nil
}

// eventsOfOthers reads the events that are due of contacts of which the plan has no entry.
type eventsOfOthers struct {
	dueEvents
	planned extsort.Stream
	userID  []byte // of the next entry
	more    bool   // there is one
}

func (p *plan) eventsOfOthers() *eventsOfOthers {
	o := &eventsOfOthers{dueEvents: dueEvents{store: p.runner.store}, planned: p.file.Contacts()}
	o.userID, _, o.more = o.planned.Next()
	return o
}

// next returns the next event, false if there is none.
func (o *eventsOfOthers) next() (e state.Event, ok bool, err error) {
	for {
		if e, ok, err = o.dueEvents.next(); !ok {
			return e, false, err
		}
		for o.more && bytes.Compare(o.userID, e.UserID) < 0 {
			o.userID, _, o.more = o.planned.Next()
		}
		if err := o.planned.Err(); err != nil {
			return e, false, err
		}
		if !o.more || !bytes.Equal(o.userID, e.UserID) {
			return e, true, nil
		}
	}
}
