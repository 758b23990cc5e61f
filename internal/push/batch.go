package push

import (
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// batch is what the next commit writes, and what that counts for.
type batch struct {
	state.Delivery
	done     [runs.Classes]int // contacts of which all is known
	untold   []*refusal        // the parked ones
	classes  []runs.Class      // of the contacts of Acks
	requests int               // with events that Gleap acknowledged
	values   int               // of Acks
}

// isEmpty reports whether there is nothing to write.
func (b *batch) isEmpty() bool {
	return len(b.Acks)+len(b.Parked)+len(b.Events)+len(b.RefusedEvents)+len(b.Announced)+len(b.NotTaken) == 0
}

// isFull reports whether it should not get any larger.
func (b *batch) isFull() bool {
	return len(b.Acks)+len(b.Parked) >= commitAt || b.values >= commitValues
}

// acknowledge adds what Gleap took of a contact of some class.
func (b *batch) acknowledge(ack *state.Acknowledgement, class runs.Class) {
	b.Acks, b.classes = append(b.Acks, *ack), append(b.classes, class)
	b.values += len(ack.Attributes)
	if ack.Last {
		b.done[class]++
	}
}

// park adds a contact that Gleap refused.
func (b *batch) park(r *refusal) {
	b.Parked = append(b.Parked, r.Parked)
	b.untold = append(b.untold, r)
	b.done[r.left.Class]++
}

// track adds what became of a request with events.
func (b *batch) track(t *tracked) {
	b.Events = append(b.Events, t.sent...)
	if len(t.sent) > 0 {
		b.requests++
	}
	if t.parked != nil {
		b.RefusedEvents = append(b.RefusedEvents, *t.parked)
	}
}

// count counts what was committed.
func (b *batch) count(report *runs.Report, result *Result) {
	for _, ack := range b.Acks {
		result.told(ack.Attributes)
		for _, f := range ack.Fields {
			result.Fields[f.Field]++
		}
	}
	events := &report.Events
	for _, r := range b.untold {
		result.told(r.left.Attributes)
		for _, f := range r.left.Fields {
			result.Fields[f.Field]++
		}
		events.Remaining -= len(r.left.News)
	}
	report.Done(b.done)
	over := 0
	for _, n := range b.done {
		over += n
	}
	report.Contacts.Sent += over - len(b.Parked)
	report.Contacts.Remaining -= over
	report.Calls.Identify += len(b.Acks)
	report.Calls.Refused += len(b.Parked)
	report.Calls.Track += b.requests
	events.Sent += len(b.Events)
	events.Refused += len(b.RefusedEvents)
	events.Remaining -= len(b.Events) + len(b.RefusedEvents)
}

// reset begins the next batch, in the memory of this one.
func (b *batch) reset() {
	*b = batch{
		Delivery: state.Delivery{
			Acks: b.Acks[:0], Parked: b.Parked[:0], Events: b.Events[:0], RefusedEvents: b.RefusedEvents[:0],
			Announced: b.Announced[:0], NotTaken: b.NotTaken[:0],
		},
		untold: b.untold[:0], classes: b.classes[:0],
	}
}
