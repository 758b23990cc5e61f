package app

import (
	"context"
	"fmt"
	"io"

	"gleapsync/internal/human"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

type retryCmd struct {
	IDs []string `arg:"" optional:"" name:"id" help:"User ids; all parked contacts and events without one."`
	dryFlags
}

// Run unparks contacts and their events, or all of them, so that the next run tries them
// again.
func (c *retryCmd) Run(ctx context.Context, a *App) error {
	contacts, events := 0, 0
	if c.DryRun {
		_, store, err := a.load(ctx)
		if err != nil {
			return err
		}
		if contacts, events, err = state.Unparkable(store, c.IDs...); err != nil {
			return err
		}
		return a.print(map[string]any{"unparked": contacts, "events": events, "dry_run": true}, func(w io.Writer) {
			fmt.Fprintf(w, "%s would be unparked. Nothing was done.\n", parkedThings(contacts, events))
		})
	}
	if err := a.changes(ctx, "retry", func(s *state.Store) (t runs.Touched, err error) {
		contacts, events, err = state.Unpark(s, c.IDs...)
		return runs.Touched{Contacts: contacts, Events: events}, err
	}); err != nil {
		return err
	}
	return a.print(map[string]int{"unparked": contacts, "events": events}, func(w io.Writer) {
		fmt.Fprintf(w, "%s unparked: the next run tries them again.\n", parkedThings(contacts, events))
	})
}

func parkedThings(contacts, events int) string {
	what := human.Count(contacts, "contact")
	if events > 0 {
		what += " and " + human.Count(events, "event")
	}
	return what
}
