package sync

import (
	"context"
	"errors"

	"gleapsync/internal/push"
	"gleapsync/state"
)

// Ask makes one request of the client's that belongs to no run, such as the check of the
// token, with a ticket of the same window: it comes after what earlier runs sent, and later
// ones count it.
//
// While a run goes on it makes none, and returns a [*state.LockedError]: the run has the
// whole rate, and its process alone knows what of it is free. So no run begins meanwhile
// either.
func (r *Runner) Ask(ctx context.Context, request func(context.Context) error) error {
	if !r.store.Exists() { // nothing was sent yet, and there is nowhere to count
		return request(ctx)
	}
	release, err := r.store.Lock()
	if err != nil {
		return err
	}
	defer release()
	r.resumed = false
	overview, err := r.store.Overview()
	if err != nil {
		return err
	}
	if err := r.resume(overview.Pace); err != nil {
		return err
	}
	err = request(ctx)
	_, commitErr := r.store.Commit(state.Delivery{Pace: push.Pace(r.client, false)})
	return errors.Join(err, commitErr)
}
