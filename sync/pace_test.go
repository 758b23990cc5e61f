package sync

import (
	"errors"
	"testing"
	"time"

	"gleapsync/gleap"
	"gleapsync/gleap/sandbox"
	"gleapsync/internal/inputs"
	"gleapsync/state"
)

// TestAsk: a request that belongs to no run comes after what runs sent, and they count it;
// while one goes on it is not made.
func TestAsk(t *testing.T) {
	t.Parallel() // it waits
	w := newWorld(t, audience("a.csv", "a"))
	const rate, window = 4, 2 * time.Second
	w.setGleap(sandbox.Options{Token: "token", Rate: rate, Window: window})
	ask := func() error {
		r := w.runner(t)
		return r.Ask(t.Context(), r.client.(*gleap.Client).Authenticate)
	}
	ids := []string{"u0"}
	w.write(t, "a.csv", list(ids...))
	w.sync(t, inputs.Request{})
	for range 2 {
		for range 3 {
			if err := ask(); err != nil {
				t.Error(err)
			}
		}
		ids = append(ids, ids[0]+"a", ids[0]+"b")
		ids[0] += "0"
		w.write(t, "a.csv", list(ids...))
		w.sync(t, inputs.Request{})
	}
	if counts := w.gleap.Counts(); counts.RateLimited > 0 || counts.PeakInWindow > rate || counts.Auth != 6 {
		t.Errorf("%+v", counts)
	}
	release, err := w.runner(t).store.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := ask(); !errors.As(err, new(*state.LockedError)) || w.gleap.Counts().Auth != 6 {
		t.Errorf("beside a run: %v", err)
	}
}
