package sync

import (
	"context"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/inputs"
	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Held calls yield with the exits and clears that would go if no guard held their attributes and
// none was withheld, contact by contact in the order of the classes and of the user ids. Before,
// it calls begin with the report, and with how many that are by key: one that is held and not among
// these could not be read, so that nobody can tell. It changes nothing, and is otherwise as
// [Runner.Changes].
func (r *Runner) Held(ctx context.Context, request inputs.Request, begin func(runs.Report, map[string]int) error, yield func(*PlannedContact) error) (runs.Report, error) {
	request.Held = true
	return r.show(ctx, request, func(p *plan, report *runs.Report) error {
		if err := begin(*report, p.leaving()); err != nil {
			return err
		}
		return p.held(ctx, yield)
	})
}

// leaving counts, by key, who would leave what is held or withheld.
func (l *attributeList) leaving() map[string]int {
	exits := map[string]int{}
	for _, a := range l.attributes {
		if a.Asked && a.merged && (a.Status == runs.StatusHeld || a.withheld > 0) {
			exits[a.Key] = a.exited + a.withheld
		}
	}
	return exits
}

// held calls yield with those who would leave.
func (p *plan) held(ctx context.Context, yield func(*PlannedContact) error) error {
	keys := p.keys()
	for class := range runs.Classes {
		err := eachEntry(ctx, p.leavers.Read(state.Turns{}), func(e *planfile.Entry, c *PlannedContact) error {
			if keepHeld(p, e); e.Empty() || e.Class != class {
				return nil
			}
			c.describe(keys, e)
			return yield(c)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// keepHeld leaves of an entry what does not go.
func keepHeld(p *plan, e *planfile.Entry) {
	n := 0
	e.Class = runs.ClassFirst
	for i, told := range e.Attributes {
		a := p.attribute(told.ID)
		if a.Status != runs.StatusHeld && a.absence == "" {
			continue
		}
		has := e.Origins[i].Old
		if a.Kind == engage.Audience && has.Kind() == attr.None { // Gleap may have it of a call without an answer
			has = attr.OfBool(true)
		}
		e.Class = min(e.Class, classOf(a, has, told.Value))
		e.Attributes[n], e.Origins[n] = told, e.Origins[i]
		n++
	}
	e.Attributes, e.Origins = e.Attributes[:n], e.Origins[:n]
}
