package push

import (
	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

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

func newCourse(before state.Turns, run string, planned planfile.Counts) *course {
	c := &course{run: run, at: before.At, open: map[string]*step{}}
	for class := range runs.Classes {
		turn, owed := before.Classes[class.String()]
		c.classes[class] = courseOf{before: turn, owed: owed, left: planned[class].Contacts, last: turn.Last}
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
	t := &state.Turns{Classes: map[string]state.Turn{}, At: (c.at + c.calls) % planfile.Round, Calls: c.calls}
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
