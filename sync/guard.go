package sync

import (
	"fmt"
	"time"

	"gleapsync/engage"
	"gleapsync/state"
)

// checkAge returns why an export of that age cannot be used, "" if it can.
func checkAge(asOf time.Time, applied state.Applied, maxAge time.Duration, now time.Time) string {
	switch {
	case asOf.Before(applied.AsOf):
		return fmt.Sprintf("the export is of %s, older than the one last applied (%s)", asOf.UTC().Format(time.RFC3339), applied.AsOf.UTC().Format(time.RFC3339))
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
			exits, a.before, limit, allowExits(a.Key, exits))
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

// allowExits is the command that lets so many members leave in one run.
func allowExits(key string, exits int) string {
	return fmt.Sprintf("sync --max-exits %s=%d", key, exits)
}
