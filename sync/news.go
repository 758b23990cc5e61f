package sync

import (
	"time"

	"gleapsync/engage"
)

// That a contact enters or leaves an audience, or gets a value, is an event as well as a
// value, if somebody wants it. The event is due once the call with the value is
// acknowledged: the state commits both at once.

// announces reports whether changes of an attribute are told as events in this run. When
// an audience comes for the first time, in a first sync or later, nobody entered it just
// now; nor does anybody in a resync.
func (b *basis) announces(a *attribute) bool {
	events := &b.o.Events
	wanted := a.Kind == engage.Audience && a.export.Membership ||
		a.Kind == engage.Trait && engage.MatchesAny(events.Traits, a.Attribute)
	isFirst := a.applied.At.IsZero() || b.full || b.resyncing()
	return wanted && !a.retired && !b.assume && (events.Backfill || !isFirst)
}

// timeOf returns the time of what is known of an attribute of the contact, in nanoseconds
// since 1970: that of the change, or of the snapshot's data.
func (c *contact) timeOf(a *attribute) int64 {
	if at, ok := c.changed.timeOf(a.id); ok {
		return at
	}
	if a.export.AsOf.IsZero() {
		return now().UnixNano()
	}
	return a.export.AsOf.Truncate(time.Millisecond).UnixNano()
}
