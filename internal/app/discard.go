package app

import (
	"fmt"
	"io"

	"gleapsync/internal/human"
	"gleapsync/state"
)

type discardCmd struct {
	IDs    []string `arg:"" optional:"" name:"id" help:"User ids; the events of all contacts without one."`
	Parked bool     `help:"Only those that Gleap refused."`
	confirmFlags
}

// Run removes events that are due or parked, so that they are never sent.
func (c *discardCmd) Run(a *App) error {
	which := "all events that are due, and those that Gleap refused"
	if c.Parked {
		which = "all events that Gleap refused"
	}
	if len(c.IDs) > 0 {
		which += ", of " + human.Count(len(c.IDs), "contact")
	}
	if err := c.confirm(a, "Drop "+which+", so that they are never sent?"); err != nil {
		return err
	}
	return a.locked(func(s *state.Store) error {
		n, err := state.Discard(s, c.Parked, c.IDs...)
		if err != nil {
			return err
		}
		return a.print(map[string]int{"discarded": n}, func(w io.Writer) { fmt.Fprintf(w, "%s discarded.\n", human.Count(n, "event")) })
	})
}
