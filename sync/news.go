package sync

import (
	"encoding/binary"
	"hash/fnv"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/internal/planfile"
	"gleapsync/state"
)

// That a contact enters or leaves an audience, or gets a value, is an event as well as a
// value, if somebody wants it. The event is due once the call with the value is
// acknowledged: the state commits both at once.

// announces reports whether changes of an attribute are told as events in this run. When
// an audience comes for the first time, in a first sync or later, nobody entered it just
// now; nor does anybody in a resync.
func (p *plan) announces(a *attribute) bool {
	events := &p.runner.o.Events
	wanted := a.Kind == engage.Audience && a.export.Membership ||
		a.Kind == engage.Trait && engage.MatchesAny(events.Traits, a.Attribute)
	isFirst := a.applied.At.IsZero() || p.full || p.resyncing()
	return wanted && !a.retired && !p.assume && (events.Backfill || !isFirst)
}

// timeOf returns the time of what is known of an attribute of the contact, in nanoseconds
// since 1970: that of the change, or of the snapshot's data.
func (c *contact) timeOf(a *attribute) int64 {
	if a.export.Changes {
		for _, n := range c.changed.Attributes {
			if n.ID == a.id {
				return n.At
			}
		}
	}
	if a.export.asOf.IsZero() {
		return now().UnixNano()
	}
	return a.export.asOf.Truncate(time.Millisecond).UnixNano()
}

// newsOf returns the events of an entry.
func (p *plan) newsOf(e *planfile.Entry) []state.Event {
	var events []state.Event
	for _, n := range e.News {
		events = append(events, p.event(e.UserID, e.Attributes[n.Index], n.At))
	}
	return events
}

// event returns the event that a change is. Source: Segment's track calls of Engage.
func (p *plan) event(userID []byte, c state.Change, at int64) state.Event {
	a := p.attribute(c.ID)
	name, keyName := p.runner.o.Events.Computed, "trait_key"
	if a.Kind == engage.Audience {
		name, keyName = p.runner.o.Events.Entered, "audience_key"
		if c.Value.Kind() != attr.True {
			name = p.runner.o.Events.Exited
		}
	}
	e := gleap.Event{
		Name: []byte(name), Date: time.Unix(0, at), UserID: userID,
		Data: []gleap.Attribute{{Key: keyName, Value: attr.OfString([]byte(a.Key))}, {Key: a.Key, Value: c.Value}},
	}
	h := fnv.New64a() // the same change is the same event
	h.Write(c.Value.Append(binary.BigEndian.AppendUint32(nil, c.ID)))
	return state.Event{UserID: userID, At: at, ID: h.Sum64(), JSON: e.AppendJSON(nil)}
}
