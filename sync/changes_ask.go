package sync

import (
	"context"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// ask implements [input]. What the new files say counts as it would in a sync.
func (x *changes) ask(ctx context.Context, userID string, changed state.Said) (map[string]Said, error) {
	x.open(ctx, x.export)
	x.name()
	err := x.refused
	type change struct {
		engage.Change
		computation int
	}
	var all []change
	if err == nil {
		var result engage.ChangesResult
		result, err = x.source.ReadChanges(ctx, func(c *engage.Change) error {
			if string(c.UserID) == userID && c.Computation >= 0 {
				all = append(all, change{engage.Change{At: c.At, Message: c.Message, Value: c.Value.Clone()}, c.Computation})
			}
			return nil
		})
		x.computations = result.Computations
		x.judge()
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return failed(x.Attributes, err), nil
	}
	for _, c := range all {
		if a := x.of[c.computation]; a != nil {
			if v := a.value(c.Value); v.Kind() != attr.None {
				changed.Add(a.id, c.At, c.Message, v)
			}
		}
	}
	said := map[string]Said{}
	for _, a := range x.attributes {
		said[a.Key] = Said{Absent: true}
		for _, n := range changed.Attributes {
			if n.ID == a.id {
				said[a.Key] = Said{Value: n.Value}
			}
		}
		if a.status == runs.StatusHeld {
			said[a.Key] = Said{Error: a.reason}
		}
	}
	return said, nil
}
