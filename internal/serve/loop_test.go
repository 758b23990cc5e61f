package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	stdsync "sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"gleapsync/gleap"
	"gleapsync/internal/config"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
	"gleapsync/state"
	"gleapsync/sync"
)

// fakeGleap takes calls without a network.
type fakeGleap struct {
	mu      stdsync.Mutex
	calls   []string // user ids
	latency time.Duration
	err     error
	refuse  string        // a user id
	gate    chan struct{} // each call waits for it, unless it is nil
}

// set changes how Gleap behaves from now on.
func (f *fakeGleap) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeGleap) Identify(ctx context.Context, c *gleap.Contact) error {
	var latency time.Duration
	var gate chan struct{}
	f.set(func() { latency, gate = f.latency, f.gate })
	time.Sleep(latency)
	if gate != nil {
		<-gate
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	if f.refuse != "" && string(c.UserID) == f.refuse {
		return &gleap.RefusedError{Status: 422}
	}
	f.calls = append(f.calls, string(c.UserID))
	return nil
}

func (f *fakeGleap) Track(ctx context.Context, _ [][]byte) error  { return ctx.Err() }
func (f *fakeGleap) Delete(context.Context, string) (bool, error) { return true, nil }
func (f *fakeGleap) Counts() gleap.Counts                         { return gleap.Counts{} }
func (f *fakeGleap) Seen() gleap.History                          { return gleap.History{} }
func (f *fakeGleap) Resume(gleap.History)                         {}

func (f *fakeGleap) taken() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

// world is a folder with a configuration and an export, a Gleap, and a server of them.
type world struct {
	t      testing.TB
	dir    string
	gleap  fakeGleap
	reload chan os.Signal
	server *Server

	mu     stdsync.Mutex
	begun  []time.Time // runs
	ended  []time.Time
	noLoad error // what loading the configuration fails with
}

func (w *world) do(fn func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fn()
}

func newWorld(t testing.TB, now bool) *world {
	w := &world{t: t, dir: t.TempDir(), reload: make(chan os.Signal, 1)}
	w.configure("0 */2 * * *", "")
	w.export("u1", "u2")
	cfg, err := w.load()
	if err != nil {
		t.Fatal(err)
	}
	w.server = New(Options{Config: cfg, Now: now, Version: "v1", Log: slog.New(slog.DiscardHandler), Load: w.load, Reload: w.reload, Run: w.run})
	return w
}

func (w *world) load() (*config.Config, error) {
	var err error
	w.do(func() { err = w.noLoad })
	if err != nil {
		return nil, err
	}
	return config.Load(filepath.Join(w.dir, "gleapsync.toml"))
}

// configure writes the configuration, with more at its end.
func (w *world) configure(schedule, more string) {
	text := fmt.Sprintf("project = \"acme\"\n[gleap]\nbase_url = \"sandbox\"\nconcurrency = 1\n[sync]\nschedule = %q\ntime_zone = \"UTC\"\ndeadline = \"5h\"\n[[audience]]\nname = \"VIP\"\nsource = \"vip.csv\"\n%s", schedule, more)
	w.put("gleapsync.toml", text)
}

// export writes the export, as new as the present time.
func (w *world) export(ids ...string) { w.put("vip.csv", "user_id\n"+strings.Join(ids, "\n")+"\n") }

func (w *world) put(name, text string) {
	path := filepath.Join(w.dir, name)
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, time.Now(), time.Now())); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) run(ctx context.Context, cfg *config.Config, watch func(runs.Progress)) (runs.Report, error) {
	w.do(func() {
		if len(w.begun) != len(w.ended) {
			w.t.Error("two runs at a time")
		}
		w.begun = append(w.begun, time.Now())
	})
	defer w.do(func() { w.ended = append(w.ended, time.Now()) })
	store, err := state.Open(cfg.State)
	if err != nil {
		return runs.Report{}, err
	}
	return sync.New(cfg.Sync, store, &w.gleap, w.server.o.Log, watch).Sync(ctx, inputs.Request{})
}

// serve begins to serve; the function that it returns ends that.
func (w *world) serve() (stop func()) {
	ctx, cancel := context.WithCancelCause(w.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.server.Serve(ctx)
	}()
	return func() {
		cancel(sync.ErrInterrupted)
		<-ended
	}
}

// at waits until an hour and a minute of the simulated days.
func at(hour, minute int) {
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of every bubble
	time.Sleep(time.Until(start.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)))
	synctest.Wait()
}

// slots returns the times of runs as hour:minute since the start.
func (w *world) slots() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, t := range w.begun {
		since := t.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
		all = append(all, fmt.Sprintf("%d:%02d", int(since.Hours()), int(since.Minutes())%60))
	}
	w.begun, w.ended = nil, nil
	return strings.Join(all, " ")
}

// TestDays: three days of serving, with a run that is too long, one that fails, a
// configuration that changes and one that is broken.
func TestDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		stop := w.serve()
		expect := func(slots string, calls ...string) {
			t.Helper()
			if got := w.slots(); got != slots {
				t.Errorf("runs at %s, want %s", got, slots)
			}
			if got := w.gleap.taken(); !slices.Equal(got, calls) {
				t.Errorf("calls for %v, want %v", got, calls)
			}
		}
		at(11, 0)
		expect("2:00 4:00 6:00 8:00 10:00", "u1", "u2") // one first sync, then nothing to send
		w.export("u2", "u3")
		at(25, 0)
		expect("12:00 14:00 16:00 18:00 20:00 22:00 24:00", "u1", "u3")

		// A run of four calls that take 70 minutes each: the slots in between are skipped,
		// and the run ends at 30:40.
		w.export("u2", "u3", "u4", "u5", "u6", "u7")
		w.gleap.set(func() { w.gleap.latency = 70 * time.Minute })
		at(30, 0)
		if now, _ := w.server.live.snapshot(); !now.Running || now.Progress.Done != 3 || now.Progress.Total != 4 || now.Left != 80*time.Minute {
			t.Errorf("during the run: %+v", now)
		}
		w.gleap.set(func() { w.gleap.latency = 0 })
		at(35, 0)
		expect("26:00 32:00 34:00", "u4", "u5", "u6", "u7")
		if now, _ := w.server.live.snapshot(); now.Missed != 2 || now.Running || !now.Next.Equal(time.Date(2000, 1, 2, 12, 0, 0, 0, time.UTC)) {
			t.Errorf("after the run: %+v", now)
		}

		// A run that fails does not end the process, and loses nothing.
		w.export("u2", "u3", "u4", "u5", "u6", "u7", "u8")
		w.gleap.set(func() { w.gleap.err = &gleap.UnreachableError{} })
		at(37, 0)
		expect("36:00")
		w.gleap.set(func() { w.gleap.err = nil })
		at(39, 0)
		expect("38:00", "u8")

		// A file that changed is loaded between runs, and so is one after a signal.
		w.configure("30 * * * *", "")
		at(41, 0)
		expect("39:30 40:30")
		w.reload <- syscall.SIGHUP
		w.configure("this is no schedule", "")
		at(43, 0)
		expect("41:30 42:30") // the one before stays in force
		if now, _ := w.server.live.snapshot(); !strings.Contains(now.Config, "sync.schedule") {
			t.Errorf("nothing about the configuration: %+v", now)
		}
		w.do(func() { w.noLoad = errors.New("the token is not there") })
		w.configure("0 */6 * * *", "")
		at(44, 0)
		expect("43:30")
		if now, _ := w.server.live.snapshot(); !strings.Contains(now.Config, "token") {
			t.Errorf("nothing about the token: %+v", now)
		}
		w.do(func() { w.noLoad = nil }) // it is there now, and the file did not change since
		at(61, 0)
		expect("48:00 54:00 60:00")
		if now, _ := w.server.live.snapshot(); now.Config != "" {
			t.Errorf("still about the configuration: %+v", now)
		}

		// A signal ends the run in flight: what Gleap acknowledged is kept.
		w.export("a1", "a2", "a3", "u2", "u3", "u4", "u5", "u6", "u7", "u8")
		w.gleap.set(func() { w.gleap.latency = time.Minute })
		at(66, 1)
		stop()
		if _, last := w.server.live.snapshot(); last.Outcome != runs.Interrupted || last.Contacts.Sent != 2 || last.Contacts.Remaining != 1 {
			t.Errorf("the last run: %+v", last)
		}
		expect("66:00", "a1", "a2")
	})
}

// TestReloadOnRequest: a signal has a file loaded that did not change.
func TestReloadOnRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		before := w.server.config.Load()
		stop := w.serve()
		defer stop()
		at(1, 0)
		if w.server.config.Load() != before {
			t.Error("it was loaded without a reason")
		}
		w.reload <- syscall.SIGHUP
		at(1, 1)
		if w.server.config.Load() == before {
			t.Error("it was not loaded")
		}
	})
}

func TestNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		stop := w.serve()
		at(4, 30)
		stop()
		if got := w.slots(); got != "0:00 2:00 4:00" {
			t.Errorf("runs at %s", got)
		}
	})
}

// TestJitter: runs begin after their slots, by less than the jitter, and not always as late.
func TestJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		w.configure("0 */2 * * *", "")
		text, _ := os.ReadFile(filepath.Join(w.dir, "gleapsync.toml"))
		w.put("gleapsync.toml", strings.Replace(string(text), "[sync]", "[sync]\njitter = \"30m\"", 1))
		w.reload <- syscall.SIGHUP
		stop := w.serve()
		at(48, 45)
		stop()
		late := map[time.Duration]bool{}
		for i, t0 := range w.begun {
			slot := time.Date(2000, 1, 1, 2*(i+1), 0, 0, 0, time.UTC)
			d := t0.Sub(slot)
			late[d] = true
			if d < 0 || d > 30*time.Minute {
				t.Errorf("%v after the slot of %v", d, slot)
			}
		}
		if len(w.begun) != 24 || len(late) < 20 {
			t.Errorf("%d runs, %d different delays", len(w.begun), len(late))
		}
	})
}

// TestLocked: a slot at which another process is at it is skipped.
func TestLocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		stop := w.serve()
		defer stop()
		at(3, 0)
		w.gleap.taken()
		store, err := state.Open(w.server.config.Load().State)
		if err != nil {
			t.Fatal(err)
		}
		w.export("u1", "u2", "u3")
		release, err := store.Lock()
		if err != nil {
			t.Fatal(err)
		}
		at(5, 0)
		if now, last := w.server.live.snapshot(); !strings.Contains(now.Failed, "another run") || now.Missed != 1 || last.Outcome != runs.Complete || len(w.gleap.taken()) > 0 {
			t.Errorf("%+v %+v", now, last)
		}
		release()
		at(7, 0)
		if now, _ := w.server.live.snapshot(); now.Failed != "" || len(w.gleap.taken()) != 1 {
			t.Errorf("%+v", now)
		}
	})
}
