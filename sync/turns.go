package sync

import (
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Nobody waits for ever. Each class goes on behind the contact that the run before came to
// last, and one of which the run before left something over does not wait for those that are
// more urgent: a tenth of the calls is its own.

// round is how many calls make a round of turns: in every ten of them each class that was
// left over has one.
const round = 20

// turns chooses the class whose turn it is.
type turns struct {
	owed   [runs.Classes]bool // of which the run before left something over
	shared bool               // changes and first deliveries have a turn in every other ten calls
	at     int                // in the round
}

// newTurns returns the turns of a plan with so many calls of each class.
func newTurns(before state.Turns, calls [runs.Classes]int) turns {
	t := turns{at: before.At % round}
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
func (t *turns) took(calls int) { t.at = (t.at + calls) % round }

// course follows a push: how far it came in each class, so that the next run can go on.
type course struct {
	run     string
	at      int // in the round when the push began
	calls   int // that have an answer
	classes [runs.Classes]courseOf
	open    map[string]*step // by user id
}

type courseOf struct {
	before state.Turn
	owed   bool // before
	left   int  // contacts of which not all is committed
	last   string
	steps  []*step // in the order of the plan, those behind last
}

// step is a contact whose calls may have been begun.
type step struct {
	userID string
	class  runs.Class
	over   bool // all of them, or the last one, has an answer
}

func newCourse(before state.Turns, run string, planned [runs.Classes]int) *course {
	c := &course{run: run, at: before.At, open: map[string]*step{}}
	for class := range runs.Classes {
		turn, owed := before.Classes[class.String()]
		c.classes[class] = courseOf{before: turn, owed: owed, left: planned[class], last: turn.Last}
	}
	return c
}

// begin takes the next contact of the plan.
func (c *course) begin(userID []byte, class runs.Class) {
	s := &step{userID: string(userID), class: class}
	c.open[s.userID] = s
	c.classes[class].steps = append(c.classes[class].steps, s)
}

// end notes that a contact's last call has an answer.
func (c *course) end(userID []byte) {
	s := c.open[string(userID)]
	if s == nil {
		return
	}
	s.over = true
	of := &c.classes[s.class]
	for len(of.steps) > 0 && of.steps[0].over {
		of.last = of.steps[0].userID
		delete(c.open, of.last)
		of.steps = of.steps[1:]
	}
}

// commit notes of how many contacts all is committed.
func (c *course) commit(contacts [runs.Classes]int) {
	for class, n := range contacts {
		c.classes[class].left -= n
	}
}

// turns returns what the state is to know if the run ended now.
func (c *course) turns() *state.Turns {
	t := &state.Turns{Classes: map[string]state.Turn{}, At: (c.at + c.calls) % round, Calls: c.calls}
	for class := range runs.Classes {
		of := &c.classes[class]
		if of.left == 0 {
			continue
		}
		since := c.run
		if of.owed {
			since = of.before.Since
		}
		t.Classes[class.String()] = state.Turn{Last: of.last, Since: since}
	}
	return t
}
