package sync

import (
	"fmt"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// dated is the time of an export's data.
type dated struct {
	asOf  time.Time // as it counts: never later than now, else no later export would be newer
	ahead time.Time // as it was said, if it is far from now; zero: it is not
}

func dateOf(asOf, now time.Time) dated {
	switch {
	case asOf.Sub(now) > runs.MaxAhead:
		return dated{now, asOf}
	case asOf.After(now):
		return dated{asOf: now}
	}
	return dated{asOf: asOf}
}

// note says that a time lies ahead, "" if it does not.
func (d dated) note(source string) string {
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

// checkAge returns why an export of that age cannot be used, "" if it can.
func checkAge(asOf time.Time, applied state.Applied, maxAge time.Duration, now time.Time) string {
	before := lastApplied(applied, now)
	switch {
	case asOf.Before(before):
		return fmt.Sprintf("the export is of %s, older than the one last applied (%s): export it anew, or if these are the right data give the file a new time (touch it, or upload the object again)",
			asOf.UTC().Format(time.RFC3339), before.UTC().Format(time.RFC3339))
	case maxAge > 0 && now.Sub(asOf) > maxAge:
		return fmt.Sprintf("the export is of %s, older than max_age = %s allows", asOf.UTC().Format(time.RFC3339), maxAge)
	}
	return ""
}

// checkInvalid returns why an export with that many broken rows cannot be used.
func checkInvalid(invalid, rows int, limit Limit) string {
	if invalid <= limit.Of(rows) {
		return ""
	}
	return fmt.Sprintf("%d of %d rows are invalid, more than max_invalid = %s allows", invalid, rows, limit)
}

// checkMembers returns why an attribute whose members changed that much cannot be
// used.
func checkMembers(a *attribute, guard Guard, limit Limit) string {
	switch {
	case a.members == 0 && a.before > 0 && !a.export.AllowEmpty:
		return fmt.Sprintf("the export has no members, and there were %d: if that is right, set allow_empty = true", a.before)
	}
	exits := a.exited + a.withheld // they would leave if they were not withheld
	if exits >= guard.MinExits && exits > limit.Of(a.before) {
		return fmt.Sprintf("%d of %d members would leave, more than max_exits = %s allows: if that is right, run %s once",
			exits, a.before, limit, runs.AllowExits(a.Key, exits))
	}
	return ""
}

// misfit says what ends that values do not fit the type which the attribute had when it was
// delivered first, "" if that is not why so many are invalid.
func (a *attribute) misfit(invalid int) string {
	if invalid == 0 || a.Known == "" || a.Kind != engage.Trait || a.Type != engage.Auto && a.Type != "" {
		return ""
	}
	return fmt.Sprintf(": %s came as %s before, so set its type to \"string\" (under types in a table) if other values are right", a.Key, a.Known)
}
