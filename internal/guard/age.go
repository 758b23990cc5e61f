package guard

import (
	"fmt"
	"time"

	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Dated is the time of an export's data.
type Dated struct {
	AsOf  time.Time // as it counts: never later than now, else no later export would be newer
	ahead time.Time // as it was said, if it is far from now; zero: it is not
}

// DateOf returns the time of data that claim one.
func DateOf(asOf, now time.Time) Dated {
	switch {
	case asOf.Sub(now) > runs.MaxAhead:
		return Dated{now, asOf}
	case asOf.After(now):
		return Dated{AsOf: now}
	}
	return Dated{AsOf: asOf}
}

// Note says that a time lies ahead, "" if it does not.
func (d Dated) Note(source string) string {
	if d.ahead.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s is dated %s, ahead of this machine's clock: it counts as of now. Set the clock right that is wrong, or give the file its right time", source, d.ahead.UTC().Format(time.RFC3339))
}

// lastApplied returns the time of the data that were applied last, as far as it is believed.
// One from the future was a file's or a clock's that was wrong. The data are no later than
// the run that applied them, and if its clock was wrong too nothing is known of them.
func lastApplied(applied state.Applied, now time.Time) time.Time {
	switch {
	case !applied.AsOf.After(now):
		return applied.AsOf
	case !applied.At.After(now):
		return applied.At
	}
	return time.Time{}
}

// CheckLoaded returns why rows of a database, the newest of which was written at a time, cannot be
// used, "" if they can or nobody knows the time.
func CheckLoaded(newest time.Time, maxAge time.Duration, now time.Time) string {
	if newest.IsZero() || maxAge == 0 || now.Sub(newest) <= maxAge {
		return ""
	}
	return fmt.Sprintf("the newest row is of %s, older than max_age = %s allows: does Segment still fill the table?", newest.UTC().Format(time.RFC3339), maxAge)
}

// CheckAge returns why an export of that age cannot be used, "" if it can.
func CheckAge(asOf time.Time, applied state.Applied, maxAge time.Duration, now time.Time) string {
	before := lastApplied(applied, now)
	switch {
	case asOf.Before(before):
		form := time.RFC3339
		if asOf.Truncate(time.Second).Equal(before.Truncate(time.Second)) {
			form = time.RFC3339Nano
		}
		return fmt.Sprintf("the export is of %s, older than the one last applied (%s): export it anew, or if these are the right data give the file a new time (touch it, or upload the object again)",
			asOf.UTC().Format(form), before.UTC().Format(form))
	case maxAge > 0 && now.Sub(asOf) > maxAge:
		return fmt.Sprintf("the export is of %s, older than max_age = %s allows", asOf.UTC().Format(time.RFC3339), maxAge)
	}
	return ""
}
