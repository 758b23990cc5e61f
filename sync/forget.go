package sync

import (
	"context"
	"errors"
	"fmt"

	"gleapsync/gleap"
	"gleapsync/internal/deliveries"
	"gleapsync/internal/push"
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
	release, err := r.store.Lock()
	if err != nil {
		return f, err
	}
	defer release()
	r.resumed = false
	r.reportLost()
	report := runs.Report{Run: runs.NextID(r.store), Command: "forget", Project: r.o.Project, Started: r.now()}
	defer announce(r.store, r.meter, report.Run, report.Command, report.Started)()
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

// deleteOwed deletes the forgotten contacts that Gleap may still have. That it refuses one of
// them does not end the run.
func (r *Runner) deleteOwed(ctx context.Context, o state.Overview, report *runs.Report) error {
	if o.Deletions == 0 || r.client == nil {
		return nil
	}
	if err := r.resume(o.Pace); err != nil {
		return err
	}
	d, err := r.delete(ctx)
	report.Deletions = &d
	if refused := new(*gleap.RefusedError); errors.As(err, refused) {
		r.log.Warn("forgotten contacts are still in Gleap, which refused to delete them", "contacts", d.Owed, "reason", err.Error())
		return nil
	}
	return err
}

// delete deletes in Gleap whom the state says that it may have.
func (r *Runner) delete(ctx context.Context) (runs.Deletions, error) {
	forgotten, err := r.store.Forgotten()
	if err != nil {
		return runs.Deletions{}, err
	}
	if r.o.Replica != nil && len(forgotten.Owed) > 0 { // else another machine could create them again
		if err := r.o.Replica.Keep(ctx, r.store, nil); err != nil {
			return runs.Deletions{Owed: len(forgotten.Owed)}, err
		}
	}
	return push.Delete(ctx, r.client, r.ledger, forgotten.Owed)
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
