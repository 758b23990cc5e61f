package sync

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	stdsync "sync"
	"sync/atomic"
	"testing"
	"time"

	"gleapsync/gleap"
	"gleapsync/internal/inputs"
	"gleapsync/state"
)

// pausing stops at the n-th call until it may go on.
type pausing struct {
	client
	n       atomic.Int64
	at      int64
	reached chan struct{}
	goOn    chan struct{}
}

func (c *pausing) Identify(ctx context.Context, contact *gleap.Contact) error {
	if c.n.Add(1) == c.at {
		close(c.reached)
		<-c.goOn
	}
	return c.client.Identify(ctx, contact)
}

// TestLockRemoved: a run whose lock file is removed ends, though it only waits for the rate
// limit, so that both runs together stay within it.
func TestLockRemoved(t *testing.T) {
	t.Parallel() // it waits
	const limit, window = 60, time.Second
	w := newWorld(t, audience("a.csv", "a"))
	w.options.Rate, w.options.Window = limit, window
	var ids []string
	for i := range 200 {
		ids = append(ids, fmt.Sprintf("u%03d", i))
	}
	w.write(t, "a.csv", list(ids...))
	var mu stdsync.Mutex
	var seen []time.Time
	w.server.Config.Handler = noting(w.gleap, func() {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, time.Now())
	})
	first := w.runner(t)
	p := &pausing{client: first.client, at: 30, reached: make(chan struct{}), goOn: make(chan struct{})}
	first.client = p
	ended := make(chan error, 1)
	go func() {
		_, err := first.Sync(t.Context(), inputs.Request{})
		ended <- err
	}()
	<-p.reached
	if err := os.Remove(filepath.Join(w.dir, "state.db.lock")); err != nil {
		t.Fatal(err)
	}
	close(p.goOn)
	w.sync(t, inputs.Request{})
	if err := <-ended; !errors.Is(err, state.ErrTakenAway) {
		t.Errorf("the first run ended with %v", err)
	}
	for i := limit; i < len(seen); i++ {
		if d := seen[i].Sub(seen[i-limit]); d < window-20*time.Millisecond {
			t.Fatalf("%d calls within %s", limit+1, d)
		}
	}
	if n := len(w.contacts()); n != len(ids) {
		t.Errorf("Gleap has %d contacts", n)
	}
}

// TestStateReplacedInARun: nothing is sent on the strength of a file that is not the one which
// was planned with, and the run after that says so too, until somebody restores one.
func TestStateReplacedInARun(t *testing.T) {
	for name, at := range map[string]int64{"before the first call": 0, "behind some": 50} {
		w := newWorld(t, audience("a.csv", "a"))
		path := filepath.Join(w.dir, "state.db")
		var ids []string
		for i := range 300 {
			ids = append(ids, fmt.Sprintf("u%03d", i))
		}
		w.write(t, "a.csv", list("u000"))
		w.sync(t, inputs.Request{})
		older := filepath.Join(w.dir, "older.db")
		if err := state.Backup(w.runner(t).store, older); err != nil {
			t.Fatal(err)
		}
		w.write(t, "a.csv", list(ids[:100]...))
		w.sync(t, inputs.Request{})
		w.write(t, "a.csv", list(ids[100:]...))
		swap := func() {
			text, err := os.ReadFile(older)
			if err == nil {
				err = os.WriteFile(path+".copy", text, 0o600)
			}
			if err = errors.Join(err, os.Rename(path+".copy", path)); err != nil {
				t.Error(err)
			}
		}
		r := w.runner(t)
		p := &pausing{client: r.client, at: at, reached: make(chan struct{}), goOn: make(chan struct{})}
		r.client = p
		if at == 0 {
			r.ledger = swapping{r.store, swap}
		} else {
			go func() { <-p.reached; swap(); close(p.goOn) }()
		}
		if _, err := r.Sync(t.Context(), inputs.Request{}); !errors.Is(err, state.ErrTakenAway) {
			t.Errorf("%s: %v", name, err)
		}
		if n := p.n.Load(); at == 0 && n > 0 || n > 299 {
			t.Errorf("%s: %d calls", name, n)
		}
		if _, err := w.runner(t).Sync(t.Context(), inputs.Request{}); err == nil {
			t.Errorf("%s: the next run took the older state", name)
		}
		restored := state.Replace(state.Options{Path: path, Project: "acme"})
		release, err := restored.Lock()
		if err == nil {
			_, err = state.Restore(restored, path, false)
			release()
		}
		if err != nil {
			t.Fatal(err)
		}
		w.sync(t, inputs.Request{})
	}
}

// swapping has the state replaced before the first thing is written.
type swapping struct {
	ledger
	swap func()
}

func (l swapping) Begin(attributes []state.Attribute, epoch uint64, pace []byte) error {
	l.swap()
	return l.ledger.Begin(attributes, epoch, pace)
}
