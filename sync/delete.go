package sync

import (
	"context"
	"errors"
	"fmt"

	"gleapsync/gleap"
	"gleapsync/internal/push"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// deleteOwed deletes the forgotten contacts that Gleap may still have. That it refuses one of
// them does not end the run.
func (c *carrier) deleteOwed(ctx context.Context, o state.Overview, report *runs.Report) error {
	if o.Deletions == 0 || c.client == nil {
		return nil
	}
	if err := c.resume(o.Pace); err != nil {
		return err
	}
	d, err := c.delete(ctx)
	report.Deletions = &d
	if refused := new(*gleap.RefusedError); errors.As(err, refused) {
		c.log.Warn("forgotten contacts are still in Gleap, which refused to delete them", "contacts", d.Owed, "reason", err.Error())
		return nil
	}
	return err
}

// delete deletes in Gleap whom the state says that it may have.
func (c *carrier) delete(ctx context.Context) (runs.Deletions, error) {
	forgotten, err := c.store.Forgotten()
	if err != nil {
		return runs.Deletions{}, err
	}
	if c.o.Replica != nil && len(forgotten.Owed) > 0 { // else another machine could create them again
		if err := c.o.Replica.Keep(ctx, c.store, nil); err != nil {
			return runs.Deletions{Owed: len(forgotten.Owed)}, err
		}
	}
	return push.Delete(ctx, c.client, c.ledger, forgotten.Owed)
}

// erase rewrites the state if its free pages may still hold something of forgotten contacts.
func erase(store *state.Store) error {
	o, err := store.Overview()
	if err != nil || !o.Erased {
		return err
	}
	if _, _, err := state.Compact(store); err != nil {
		return fmt.Errorf("free pages of the state may still hold what is forgotten: run gleapsync compact: %w", err)
	}
	return nil
}
