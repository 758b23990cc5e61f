package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gleapsync/gleap"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// pace is what one run leaves for the next one, so that the rate limit holds across
// runs and across crashes.
type pace struct {
	Running bool `json:"running"` // the run goes on, or was killed
	gleap.History
}

// sends reports whether a run makes calls.
func (r *Runner) sends(report *runs.Report) bool {
	return r.client != nil && report.Contacts.Planned+report.Events.Planned > 0
}

func (r *Runner) pace(running bool) []byte {
	text, err := json.Marshal(pace{running, r.client.Seen()})
	if err != nil { // times and numbers always marshal
		panic(err)
	}
	return text
}

// lostPace is how long a run that was killed may have gone on sending after it wrote its
// pace: commits are half a second apart, but one may take long.
const lostPace = 10 * time.Second

// resume tells the client what Gleap has seen of earlier runs. Of a run that was killed
// nobody knows what it sent in the end: as much as it can have been counts as seen just
// now.
func (r *Runner) resume(text []byte) error {
	if r.resumed || len(text) == 0 {
		return nil
	}
	r.resumed = true
	var before pace
	if err := json.Unmarshal(text, &before); err != nil {
		return fmt.Errorf("the pace of the last run cannot be decoded: %w", err)
	}
	if before.Running && r.o.Window > 0 {
		before.Unknown = int(int64(r.o.Rate)*int64(min(lostPace, r.o.Window))/int64(r.o.Window)) + r.o.Concurrency
	}
	r.client.Resume(before.History)
	return nil
}

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
	_, commitErr := r.store.Commit(state.Delivery{Pace: r.pace(false)})
	return errors.Join(err, commitErr)
}
