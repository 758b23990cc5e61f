package planfile

import (
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Nobody waits for ever. Each class goes on behind the contact that the run before came to
// last, and one of which the run before left something over does not wait for those that are
// more urgent: a tenth of the calls is its own.

// Round is how many calls make a round of turns: in every ten of them each class that was
// left over has one.
const Round = 20

// turns chooses the class whose turn it is.
type turns struct {
	owed   [runs.Classes]bool // of which the run before left something over
	shared bool               // changes and first deliveries have a turn in every other ten calls
	at     int                // in the round
}

// newTurns returns the turns of a plan with so many calls of each class.
func newTurns(before state.Turns, calls [runs.Classes]int) turns {
	t := turns{at: before.At % Round}
	for class := range runs.Classes {
		_, t.owed[class] = before.Classes[class.String()]
	}
	// Two tenths would make memberships wait that fit into nine.
	memberships := 10 * (calls[runs.ClassExit] + calls[runs.ClassEntry])
	t.shared = t.owed[runs.ClassChange] && t.owed[runs.ClassFirst] && 8*before.Calls < memberships && memberships <= 9*before.Calls
	return t
}

// next returns the class of the next contact, of those of which contacts are left.
func (t *turns) next(left [runs.Classes]int) runs.Class {
	if class := runs.Class(t.at % 10); class < runs.Classes && t.owed[class] && left[class] > 0 && !t.passes(class, left) {
		return class
	}
	for class := range runs.Classes {
		if left[class] > 0 {
			return class
		}
	}
	return runs.Classes
}

// passes reports whether a class leaves its turn to memberships.
func (t *turns) passes(class runs.Class, left [runs.Classes]int) bool {
	if !t.shared || left[runs.ClassExit]+left[runs.ClassEntry] == 0 {
		return false
	}
	second := t.at >= 10
	return class == runs.ClassChange && second || class == runs.ClassFirst && !second
}

// took goes on by so many calls.
func (t *turns) took(calls int) { t.at = (t.at + calls) % Round }
