package sync

import (
	"time"

	"gleapsync/state"
)

// dampedChange is a change that is not worth a call of its own.
type dampedChange struct {
	attribute *attribute
	change    state.Change
	due       time.Time // when it will be, zero: as it stands it never will
}

// waits reports whether the change is held back for its time.
func (d dampedChange) waits() bool { return !d.due.IsZero() }
