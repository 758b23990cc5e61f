package app

import (
	"fmt"
	"io"

	"gleapsync/internal/config"
	"gleapsync/internal/human"
	"gleapsync/state"
)

// tellParked writes of those contacts who are parked why nothing is sent of them.
func (a *App) tellParked(w io.Writer, cfg *config.Config, userIDs []string) error {
	if len(userIDs) == 0 {
		return nil
	}
	store, err := state.Open(cfg.State)
	if err != nil {
		return err
	}
	for _, id := range userIDs {
		c, err := store.Contact(id)
		if err != nil {
			return err
		}
		if p := c.Parked; p != nil {
			fmt.Fprintf(w, "%s waits: parked since %s: %s. It is tried again when its values change, or after gleapsync retry.\n",
				human.Printable(id), human.Time(p.First, a.zone), human.Printable(p.Reason))
		}
	}
	return nil
}
