package sync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"gleapsync/gleap"
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

	alone    bool // the calls of the plan are over
	accepted bool // Gleap took some events
	refused  []int
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
	t.runner.progress.phase("events", o.DueEvents)
	t.alone = true
	t.batch, t.size = t.batch[:0], 0 // they are still due
	for due := newDue(t.runner.store); ; {
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
	due, planned := newDue(t.runner.store), t.plan.planned()
	userID, _, more := planned.next()
	left := t.plan.overview.DueEvents+t.plan.newEvents() > 0
	for {
		select {
		case <-t.identified:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case events := <-t.ready:
			for _, e := range events {
				if err := t.add(ctx, e); err != nil {
					return err
				}
			}
			continue
		default:
		}
		if left {
			e, ok, err := due.next()
			if err != nil {
				return err
			}
			if left = ok; !ok {
				continue
			}
			for more && bytes.Compare(userID, e.UserID) < 0 {
				userID, _, more = planned.next()
			}
			if planned.err() != nil {
				return planned.err()
			}
			if !more || !bytes.Equal(userID, e.UserID) {
				if err := t.add(ctx, e); err != nil {
					return err
				}
			}
			continue
		}
		if err := t.wait(ctx); err != nil {
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
		for _, e := range events {
			if err := t.add(ctx, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// add adds an event to the batch, and sends it if it is full.
func (t *tracker) add(ctx context.Context, e state.Event) error {
	if len(t.batch) > 0 && t.size+len(e.JSON) > maxBatchBytes {
		if err := t.send(ctx); err != nil {
			return err
		}
	}
	if len(t.batch) == 0 {
		t.since = time.Now()
	}
	t.batch, t.size = append(t.batch, e), t.size+len(e.JSON)
	if len(t.batch) >= t.runner.o.Events.Batch {
		return t.send(ctx)
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
	case len(events) > 1:
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
	if len(t.refused) > 0 && t.refused[0] != r.Status {
		t.accepted = true // it depends on the event
	}
	if t.accepted {
		return nil
	}
	if t.refused = append(t.refused, r.Status); len(t.refused) < sameRefusals {
		return nil
	}
	return &gleap.StopError{Reason: fmt.Sprintf("%s: so it was for each of the first %d events, so the others were not tried: look at what the events hold", r, sameRefusals)}
}

// settle hands on what became of events, and waits until it is committed.
func (t *tracker) settle(o outcome) error {
	committed := make(chan error, 1)
	o.committed = committed
	t.outcomes <- o
	if t.alone {
		t.runner.progress.add(len(o.sent) + len(o.refused))
	}
	return <-committed
}

// due reads the events that are due, slice by slice.
type due struct {
	store *state.Store
	slice []state.Event
	last  *state.Event
}

func newDue(store *state.Store) *due { return &due{store: store} }

// next returns the next event, false if there is none.
func (d *due) next() (e state.Event, ok bool, err error) {
	if len(d.slice) == 0 {
		if d.slice, err = d.store.Due(d.last); err != nil || len(d.slice) == 0 {
			return e, false, err
		}
	}
	e, d.slice = d.slice[0], d.slice[1:]
	d.last = &e
	return e, true, nil
}

// planned returns the contacts of the plan's entries, in the order of their ids.
func (p *plan) planned() stream {
	var streams []stream
	for class := range classes {
		c := &chain{}
		for _, pass := range p.passes { // each is about ids behind those of the one before
			s := &pass.segments[class]
			c.parts = append(c.parts, &entryStream{reader: newEntryReader(s)})
		}
		streams = append(streams, c)
	}
	return newMerger(streams, 0)
}
