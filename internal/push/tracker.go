package push

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gleapsync/gleap"
	"gleapsync/state"
)

// tracked is what became of a request with events.
type tracked struct {
	sent    []state.Event      // that Gleap acknowledged
	refused bool               // it refused the request,
	parked  *state.ParkedEvent // which had this event alone; nil: it had several
}

// tracker sends the events that are due, in batches. One batch goes after another, each
// once the one before is committed, so that a crash repeats one batch at most.
//
// While the calls of the plan go on, it sends the events of contacts that have none, and of
// those whose calls are over. After them it sends all that is left.
type tracker struct {
	o          *Options
	plan       *Plan
	answers    chan<- answer
	ready      <-chan []state.Event // of contacts whose calls are over; not of all of them
	identified <-chan struct{}      // closed once the calls of the plan are over

	batch []state.Event
	size  int       // of the batch in bytes
	since time.Time // when the first event came into the batch

	rest  bool      // the calls of the plan are over, only events are left
	begin beginning // what Gleap said of the first events, one by one
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
	o, err := t.o.Store.Overview()
	if err != nil || o.DueEvents == 0 {
		return err
	}
	t.o.Meter.Phase("events", o.DueEvents)
	t.rest = true
	t.batch, t.size = t.batch[:0], 0 // they are still due
	for due := (&dueEvents{store: t.o.Store}); ; {
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
	others := newEventsOfOthers(t.o.Store, t.plan.File.Contacts())
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
		if len(t.batch) >= t.o.Events.Batch {
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
	err := t.o.Client.Track(ctx, bodies)
	var refused *gleap.RefusedError
	switch {
	case err == nil:
		t.begin.proven = true
		return t.settle(&tracked{sent: events})
	case !errors.As(err, &refused):
		return err
	}
	if len(events) > 1 {
		t.answers <- answer{events: &tracked{refused: true}}
		half := len(events) / 2
		if err := t.track(ctx, events[:half]); err != nil {
			return err
		}
		return t.track(ctx, events[half:])
	}
	parked := state.ParkedEvent{Event: events[0], Status: refused.Status, Reason: refused.Error(), Last: t.o.Now()}
	if err := t.settle(&tracked{refused: true, parked: &parked}); err != nil {
		return err
	}
	if !t.begin.refuse(refused.Status) {
		return nil
	}
	return &gleap.StopError{Reason: fmt.Sprintf("%s: so it was for each of the first %d events, so the others were not tried: look at gleap.base_url and at what the events hold, then run gleapsync retry", refused, sameRefusals)}
}

// settle hands on what became of a request with events, and waits until that and all before it
// is committed.
func (t *tracker) settle(events *tracked) error {
	committed := make(chan error, 1)
	t.answers <- answer{events: events, committed: committed}
	if t.rest {
		n := len(events.sent)
		if events.parked != nil {
			n++
		}
		t.o.Meter.Add(n)
	}
	return <-committed
}
