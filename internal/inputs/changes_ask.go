package inputs

import (
	"context"
	"slices"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// ask implements [kind]. What the new files say counts as it would in a sync.
func (x *changes) ask(ctx context.Context, userID string, changed state.Said) (map[string]Said, error) {
	if err := x.find(ctx); err != nil {
		return nil, err
	}
	x.name()
	err := x.refused
	type change struct {
		engage.Change
		computation int
	}
	var all []change
	if err == nil {
		x.expectEnd(x.Input, x.Attributes)
		var result engage.ChangesResult
		result, err = x.source.ReadChanges(ctx, func(c *engage.Change) error {
			if string(c.UserID) == userID && c.Computation >= 0 {
				all = append(all, change{engage.Change{At: c.At, Message: c.Message, File: c.File, Line: c.Line, Value: c.Value.Clone()}, c.Computation})
			}
			return nil
		})
		x.Result = result.Result
		x.computations, x.columns, x.missing = result.Computations, result.Columns, result.Missing
		x.judge()
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return failed(x.Attributes, err), nil
	}
	places := map[uint32]place{} // of the changes that count
	for _, c := range all {
		if a := x.of[c.computation]; a != nil {
			if v := a.value(c.Value); v.Kind() != attr.None {
				changed.Add(a.ID, c.At, c.Message, v)
				if slices.ContainsFunc(changed.Attributes, func(n state.Newest) bool { return n.ID == a.ID && n.At == c.At && n.Value.Equal(v) }) {
					places[a.ID] = place{c.File, c.Line}
				}
			}
		}
	}
	said := map[string]Said{}
	for _, a := range x.Feeds {
		said[a.Key] = Said{Absent: true, Unread: x.Result.Unknown}
		for _, n := range changed.Attributes {
			if n.ID == a.ID {
				said[a.Key] = Said{Value: n.Value, File: places[a.ID].file, Line: places[a.ID].line}
			}
		}
		if a.Status == runs.StatusHeld {
			said[a.Key] = Said{Error: a.Reason}
		}
	}
	return said, nil
}
