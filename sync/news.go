package sync

import "gleapsync/engage"

// That a contact enters or leaves an audience, or gets a value, is an event as well as a
// value, if somebody wants it. The event is due once the call with the value is
// acknowledged: the state commits both at once.

// announces reports whether changes of an attribute are told as events in this run. When
// an audience comes for the first time, in a first sync or later, nobody entered it just
// now; nor does anybody in a resync.
func (b *basis) announces(a *attribute) bool {
	events := &b.o.Events
	wanted := a.Kind == engage.Audience && a.Input.Membership ||
		a.Kind == engage.Trait && engage.MatchesAny(events.Traits, a.Attribute.Attribute)
	isFirst := a.Applied.At.IsZero() || b.Request.Full || b.Resyncing()
	return wanted && !a.Retired && !b.Request.Assume && (events.Backfill || !isFirst)
}
