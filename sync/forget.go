package sync

import (
	"context"
	"errors"
	"fmt"

	"gleapsync/gleap"
	"gleapsync/state"
)

// Forgotten counts contacts that were to be forgotten.
type Forgotten struct {
	Forgotten int `json:"forgotten"` // removed here, and never to be created again
	Deleted   int `json:"deleted"`   // of these: in Gleap
	Absent    int `json:"absent"`    // of these: Gleap did not have them
}

// Forget deletes contacts here and in Gleap. They are forgotten here first: an export
// that still has them must not bring them back, whatever becomes of the calls. The errors
// are those of [Runner.Sync].
func (r *Runner) Forget(ctx context.Context, userIDs []string) (f Forgotten, err error) {
	release, err := r.store.Lock()
	if err != nil {
		return f, err
	}
	defer release()
	overview, err := r.store.Overview()
	if err != nil {
		return f, err
	}
	if err := r.resume(overview.Pace); err != nil {
		return f, err
	}
	if err := r.store.Forget(userIDs); err != nil {
		return f, fmt.Errorf("forget: %w", err)
	}
	f.Forgotten = len(userIDs)
	if _, err := r.store.Commit(state.Delivery{Pace: r.pace(true)}); err != nil {
		return f, err
	}
	err = r.deleteAll(ctx, userIDs, &f)
	if left := f.Forgotten - f.Deleted - f.Absent; left > 0 {
		err = fmt.Errorf("%d of %d contacts are forgotten here, but may still be in Gleap: run forget again with the same ids: %w", left, f.Forgotten, err)
	}
	if _, commitErr := r.store.Commit(state.Delivery{Pace: r.pace(false)}); commitErr != nil {
		return f, errors.Join(err, commitErr)
	}
	if _, _, compactErr := r.store.Compact(); compactErr != nil {
		err = errors.Join(err, fmt.Errorf("free pages of the state may still hold what is forgotten: run gleapsync compact: %w", compactErr))
	}
	return f, err
}

// deleteAll deletes contacts in Gleap. What Gleap refuses does not keep the others from
// being deleted; the last refusal is returned.
func (r *Runner) deleteAll(ctx context.Context, userIDs []string, f *Forgotten) (refused error) {
	for _, id := range userIDs {
		deleted, err := r.client.Delete(ctx, id)
		switch {
		case errors.As(err, new(*gleap.RefusedError)):
			refused = err
		case ctx.Err() != nil && err != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		case deleted:
			f.Deleted++
		default:
			f.Absent++
		}
	}
	return refused
}
