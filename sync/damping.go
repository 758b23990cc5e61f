package sync

import (
	"math"
	"strconv"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// damping returns which changes of an attribute are not worth a call of their own.
func (e *Export) damping(a engage.Attribute) Damping {
	if a.Kind != engage.Trait {
		return Damping{}
	}
	if d, as := engage.OfName(e.Damping, a.Name); as != "" {
		return d
	}
	return e.Damping[""]
}

// damps reports whether a change from what Gleap has to another value is not worth a call of
// its own. If that is so for its time only, due is when it will be.
func (d Damping) damps(has state.Known, want attr.Value, now time.Time) (damps bool, due time.Time) {
	switch {
	case isNothing(has.Value) || isNothing(want):
		return false, time.Time{}
	case d.Tolerance.covers(has.Value, want):
		return true, time.Time{}
	case d.MinInterval <= 0:
		return false, time.Time{}
	}
	sent := time.Unix(has.At, 0)
	due = sent.Add(d.MinInterval).UTC()
	if !now.Before(due) || sent.After(now.Add(runs.MaxAhead)) { // by a clock that was wrong
		return false, time.Time{}
	}
	return true, due
}

func isNothing(v attr.Value) bool { return v.Kind() == attr.None || v.Kind() == attr.Null }

// covers reports whether two numbers are closer than the tolerance.
func (t Tolerance) covers(has, want attr.Value) bool {
	if has.Kind() != attr.Number || want.Kind() != attr.Number {
		return false
	}
	before, err := strconv.ParseFloat(string(has.Text()), 64)
	after, err2 := strconv.ParseFloat(string(want.Text()), 64)
	if err != nil || err2 != nil {
		return false
	}
	distance := math.Abs(after - before)
	return distance < t.Amount || distance < t.Share*math.Abs(before)
}

// isDue reports whether values of the attribute that were held back for their time may be
// sent now. A time that lies ahead by more than they are held back was a wrong clock's.
func (a *attribute) isDue(now time.Time) bool {
	due := a.applied.Due
	return !due.IsZero() && (!now.Before(due) || due.After(now.Add(a.export.damping(a.Attribute).MinInterval+runs.MaxAhead)))
}
