package guard

import (
	"fmt"

	"gleapsync/internal/human"
	"gleapsync/internal/runs"
)

// Limits are the limits past which an export is not believed.
type Limits struct {
	MaxExits   Limit // of the members that an attribute has
	MinExits   int   // fewer exits than this never trip MaxExits
	MaxInvalid Limit // of an export's rows
}

// CheckInvalid returns why an export with that many broken rows cannot be used.
func CheckInvalid(invalid, rows int, limit Limit) string {
	if invalid <= limit.Of(rows) {
		return ""
	}
	return fmt.Sprintf("%s of %s rows are invalid, more than max_invalid = %s allows", human.Grouped(invalid), human.Grouped(rows), limit)
}

// Shrunk says that an export has far fewer rows than before, "" if it has not. That holds nothing:
// each of many audiences may stay below its limit where the whole table lost a part.
func Shrunk(source string, before, rows, minExits int) string {
	const tenth = 10
	if before-rows < max(1, minExits) || tenth*(before-rows) <= before {
		return ""
	}
	return fmt.Sprintf("%s has fewer rows: %s, and %s when it was applied last", source, human.Grouped(rows), human.Grouped(before))
}

// Silent returns why an attribute is held whose members are all in the export, of none of whom it
// says anything: nobody leaves for that, whatever may be allowed.
func Silent(members int) string {
	return fmt.Sprintf("the column says nothing of any of its members (blank or NULL), and there are %s: was it made anew? They stay members", human.Grouped(members))
}

// CheckMembers returns why an attribute of a key whose members change that much cannot be used:
// so many would leave of those before. emptied says that none are left and that this is not
// normal.
func CheckMembers(key string, before, exits int, emptied bool, minExits int, limit Limit) string {
	if emptied && before > 0 {
		once := ""
		if exits > 0 {
			once = "run " + runs.AllowExits(key, exits) + " once, or "
		}
		return fmt.Sprintf("the export has no members, and there were %s: if that is right, %sset allow_empty = true", human.Grouped(before), once)
	}
	if exits >= minExits && exits > limit.Of(before) {
		return fmt.Sprintf("%s of %s members would leave, more than max_exits = %s allows: if that is right, run %s once",
			human.Grouped(exits), human.Grouped(before), limit, runs.AllowExits(key, exits))
	}
	return ""
}
