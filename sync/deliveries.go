package sync

import (
	"context"
	"errors"
	"time"

	"gleapsync/internal/deliveries"
	"gleapsync/state"
)

const (
	// shipPatience is how long it is tried at the end of a run to put its deliveries into a bucket.
	shipPatience = 10 * time.Minute
	// shipPatienceStopped is the same for a run that was told to stop.
	shipPatienceStopped = 10 * time.Second
)

// ShipDeliveries puts what the log of deliveries has here into its bucket, if it has one, but
// for the contacts that a state has forgotten.
func ShipDeliveries(ctx context.Context, log deliveries.Place, store *state.Store) error {
	all, err := store.Forgotten()
	if err != nil {
		return err
	}
	return log.Ship(ctx, func(userID string) bool { return all.Has([]byte(userID)) })
}

// shipDeliveries ends a run's part in the log, also if nothing was sent: what a bucket does not take
// stays here, and goes with the next run.
func (c *carrier) shipDeliveries(ctx context.Context) {
	if c.o.Deliveries.Bucket == nil {
		return
	}
	patience := shipPatience
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errDeadline) {
		patience = shipPatienceStopped
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := ShipDeliveries(ctx, c.o.Deliveries, c.store); err != nil {
		c.log.Warn("calls that Gleap acknowledged are not in the bucket of the log yet: the next run puts them there", "reason", err.Error())
		return
	}
	if err := c.o.Deliveries.Expire(ctx, c.now()); err != nil {
		c.log.Warn("deliveries that are older than log.keep could not be removed from the bucket", "reason", err.Error())
	}
}
