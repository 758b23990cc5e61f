package push

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gleapsync/gleap"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// deleter is a client that deletes contacts.
type deleter interface {
	Delete(ctx context.Context, userID string) (deleted bool, err error)
	pacer
}

// Delete deletes contacts in Gleap that the state says it may have. What Gleap refuses does not
// keep the others from being deleted; the last refusal is returned.
func Delete(ctx context.Context, c deleter, l ledger, owed []string) (d runs.Deletions, err error) {
	d.Owed = len(owed)
	var gone []string
	commit := func(running bool) error {
		if _, err := l.Commit(state.Delivery{Deleted: gone, Pace: Pace(c, running)}); err != nil {
			return fmt.Errorf("commit to the state: %w", err)
		}
		d.Owed -= len(gone)
		gone = gone[:0]
		return nil
	}
	if err := commit(true); err != nil {
		return d, err
	}
	var refused error
	last := time.Now()
	for _, id := range owed {
		deleted, err := c.Delete(ctx, id)
		switch {
		case errors.As(err, new(*gleap.RefusedError)):
			refused = err
			continue
		case err != nil:
			return d, errors.Join(err, commit(false))
		case deleted:
			d.Deleted++
		default:
			d.Absent++
		}
		gone = append(gone, id)
		if time.Since(last) >= commitEvery {
			if err := commit(true); err != nil {
				return d, err
			}
			last = time.Now()
		}
	}
	if err := commit(false); err != nil {
		return d, err
	}
	return d, refused
}
