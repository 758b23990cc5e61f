package push

import (
	"bytes"

	"gleapsync/internal/extsort"
	"gleapsync/state"
)

// mostWaiting bounds the memory for events that wait for the tracker.
const mostWaiting = 20_000

// outbox has the events that are due since the calls of their contacts are over, as long as
// the tracker is at others.
type outbox struct {
	ready   chan []state.Event
	waiting []state.Event
}

func newOutbox() *outbox { return &outbox{ready: make(chan []state.Event)} }

// add adds events. If they are too many, they are sent after all calls.
func (o *outbox) add(due []state.Event) {
	if len(o.waiting)+len(due) <= mostWaiting {
		o.waiting = append(o.waiting, due...)
	}
}

// offer lets the tracker have the events, unless it is at others.
func (o *outbox) offer() {
	if len(o.waiting) == 0 {
		return
	}
	select {
	case o.ready <- o.waiting:
		o.waiting = nil
	default:
	}
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

func newEventsOfOthers(store *state.Store, planned extsort.Stream) *eventsOfOthers {
	o := &eventsOfOthers{dueEvents: dueEvents{store: store}, planned: planned}
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
