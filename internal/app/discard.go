package app

import (
	"context"
	"fmt"
	"io"

	"gleapsync/internal/human"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

type discardCmd struct {
	IDs    []string `arg:"" optional:"" name:"id" help:"User ids; the events of all contacts without one."`
	Parked bool     `help:"Only those that Gleap refused."`
	confirmFlags
	dryFlags
}

// Run removes events that are due or parked, so that they are never sent.
func (c *discardCmd) Run(ctx context.Context, a *App) error {
	which := "all events that are due, and those that Gleap refused"
	if c.Parked {
		which = "all events that Gleap refused"
	}
	if len(c.IDs) > 0 {
		which += ", of " + human.Count(len(c.IDs), "contact")
	}
	if c.DryRun {
		_, store, err := a.load(ctx)
		if err != nil {
			return err
		}
		n, err := state.Discardable(store, c.Parked, c.IDs...)
		if err != nil {
			return err
		}
		return a.print(map[string]any{"discarded": n, "dry_run": true}, func(w io.Writer) {
			fmt.Fprintf(w, "%s would be discarded. Nothing was done.\n", human.Count(n, "event"))
		})
	}
	if err := c.confirm(a, "Drop "+which+", so that they are never sent?"); err != nil {
		return err
	}
	n := 0
	if err := a.changes(ctx, "discard", func(s *state.Store) (t runs.Touched, err error) {
		n, err = state.Discard(s, c.Parked, c.IDs...)
		return runs.Touched{Events: n}, err
	}); err != nil {
		return err
	}
	return a.print(map[string]int{"discarded": n}, func(w io.Writer) { fmt.Fprintf(w, "%s discarded.\n", human.Count(n, "event")) })
}
