package sync

import (
	"context"
	"errors"
	"fmt"

	"gleapsync/internal/deliveries"
	"gleapsync/internal/rowlist"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Forgotten counts contacts that were to be forgotten.
type Forgotten struct {
	Forgotten int `json:"forgotten"` // removed here, and never to be created again
	runs.Deletions
	Deliveries int `json:"deliveries,omitempty"` // lines that were taken out of the log
}

// WouldForget is what Forget would do.
type WouldForget struct {
	Contacts int  `json:"contacts"` // that Gleap would be asked to delete
	Known    int  `json:"known"`    // of these: Gleap acknowledged something of them here
	Before   int  `json:"before"`   // of these: forgotten before
	DryRun   bool `json:"dry_run"`
}

// PlanForget says what Forget would do, and changes nothing.
func PlanForget(store *state.Store, userIDs []string) (WouldForget, error) {
	w := WouldForget{Contacts: len(userIDs), DryRun: true}
	forgotten, err := store.Forgotten()
	if err != nil {
		return w, err
	}
	ids := make([][]byte, len(userIDs))
	for i, id := range userIDs {
		ids[i] = []byte(id)
		if forgotten.Has(ids[i]) {
			w.Before++
		}
	}
	err = state.RecordsOf(store, ids, func(_ int, known *state.Record) {
		if known.Acknowledged > 0 {
			w.Known++
		}
	})
	return w, err
}

// Forget deletes contacts here and in Gleap. They are forgotten here first: an export
// that still has them must not bring them back, whatever becomes of the calls. That they are
// to be deleted is in the state by then, so that the next run goes on with it. The errors
// are those of [Runner.Sync].
func (r *Runner) Forget(ctx context.Context, userIDs []string) (f Forgotten, err error) {
	report, end, err := r.begin("forget")
	if err != nil {
		return f, err
	}
	defer end()
	r.meter.Phase("deleting", len(userIDs))
	overview, err := r.store.Overview()
	if err != nil {
		return f, err
	}
	if err := r.resume(overview.Pace); err != nil {
		return f, err
	}
	// First: once the state has forgotten them, nobody asks again. Parts that a bucket keeps for
	// years are no reason to keep the rest.
	var still *deliveries.StillError
	if f.Deliveries, err = r.o.Deliveries.Forget(ctx, userIDs); err != nil && !errors.As(err, &still) {
		return f, err
	}
	inLog := err
	if err := r.store.Forget(userIDs); err != nil {
		return f, fmt.Errorf("forget: %w", err)
	}
	rowlist.Remove(r.store.Path()) // they have the ids of all users
	f.Forgotten = len(userIDs)
	f.Deletions, err = r.delete(ctx)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if f.Owed > 0 {
		err = fmt.Errorf("%d contacts are forgotten here, but may still be in Gleap: the next sync deletes them, or the next forget: %w", f.Owed, err)
	}
	if errors.Is(err, state.ErrTakenAway) {
		return f, err
	}
	report.Touched, report.Deletions = &runs.Touched{Contacts: f.Forgotten}, &f.Deletions
	return f, errors.Join(err, inLog, runs.Done(r.store, report, errors.Join(err, inLog)), erase(r.store), state.ScrubFormer(r.store))
}
