package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"gleapsync/internal/config"
	"gleapsync/internal/human"
	"gleapsync/internal/inspect"
	"gleapsync/state"
)

// tellParked writes of those contacts who are parked why nothing is sent of them.
func tellParked(w io.Writer, cfg *config.Config, userIDs []string) error {
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
			tellWaits(w, human.Printable(id), p, cfg.Zone)
		}
	}
	return nil
}

// tellSilent writes of contacts that a plan does not have, and was asked for, why that is, as far as
// the state knows. An id that nothing knows is an error, in the words of inspect contact: one with a
// slip in it looks like one of whom there is nothing to send.
func tellSilent(ctx context.Context, w io.Writer, cfg *config.Config, userIDs []string) error {
	if len(userIDs) == 0 {
		return nil
	}
	var unknown []error
	store, err := state.Open(cfg.State)
	if err != nil {
		return err
	}
	for _, userID := range userIDs {
		c, err := store.Contact(userID)
		if err != nil {
			return err
		}
		switch id := human.Printable(userID); {
		case c.Parked != nil:
			tellWaits(w, id, c.Parked, cfg.Zone)
		case c.Forgotten:
			fmt.Fprintf(w, "%s was forgotten: no export brings it back.\n", id)
		case c.Record.Acknowledged == 0:
			if _, err := inspect.New(cfg.Sync, store).Asked(ctx, userID, nil); err != nil {
				unknown = append(unknown, err)
				continue
			}
			fmt.Fprintf(w, "%s has no record here, and this plan does not have it: gleapsync inspect contact %s says what the exports have.\n", id, id)
		}
	}
	return errors.Join(unknown...)
}

func tellWaits(w io.Writer, id string, p *state.Parked, zone *time.Location) {
	fmt.Fprintf(w, "%s waits: parked since %s: %s. It is tried again when its values change, or after gleapsync retry.\n",
		id, human.Time(p.First, zone), human.Printable(p.Reason))
}
