package sync

import (
	"time"

	"gleapsync/engage"
	"gleapsync/internal/damping"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// damping returns which changes of an attribute are not worth a call of their own.
func (e *Export) damping(a engage.Attribute) damping.Rule {
	if a.Kind != engage.Trait {
		return damping.Rule{}
	}
	if d, as := engage.OfName(e.Damping, a.Name); as != "" {
		return d
	}
	return e.Damping[""]
}

// isDue reports whether values of the attribute that were held back for their time may be
// sent now. A time that lies ahead by more than they are held back was a wrong clock's.
func (a *attribute) isDue(now time.Time) bool {
	due := a.applied.Due
	return !due.IsZero() && (!now.Before(due) || due.After(now.Add(a.export.damping(a.Attribute).MinInterval+runs.MaxAhead)))
}

// dampedChange is a change that is not worth a call of its own.
type dampedChange struct {
	attribute *attribute
	change    state.Change
	due       time.Time // when it will be, zero: as it stands it never will
}

// waits reports whether the change is held back for its time.
func (d dampedChange) waits() bool { return !d.due.IsZero() }
