package replica

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"gleapsync/state"
)

// Held is a replica that this process alone may write to.
type Held struct {
	o       Options
	twin    state.Twin
	lock    *flock.Flock
	holding *holding
	ctx     context.Context
	end     func() // of the renewing

	keeping  sync.Mutex
	manifest *manifest // of the snapshot that counts, nil: there is none
	counts   string    // the key of its object
	note     note      // of the twin
	unsure   bool      // the twin is not what the note says
	missed   error     // why the state that counts is not here, nil: it is
	written  int       // objects
	moved    int64     // bytes that were written, without the lease
}

// Hold takes the lease and brings the local state to what the bucket has. The error is a
// [*state.LockedError] while somebody else has it. Call [Held.End] afterwards.
func Hold(ctx context.Context, o Options) (*Held, error) {
	o = o.withDefaults()
	s, err := openStore(ctx, o)
	if err != nil {
		return nil, err
	}
	lock, mine, err := lockFolder(o)
	for began := time.Now(); lock == nil; lock, mine, err = lockFolder(o) {
		if err != nil {
			return nil, err
		}
		if l, _, err := s.lease(ctx, o.State.Project); err == nil && l != nil && l.isTaken(o, nil) {
			return nil, l.locked(o)
		}
		if time.Since(began) > readersTake { // who only reads does not take long
			return nil, &state.LockedError{Path: lockPath(o)}
		}
		if err := sleep(ctx, readersTake/100); err != nil {
			return nil, err
		}
	}
	h, err := hold(ctx, o, s, lock, mine)
	if err != nil {
		_ = lock.Unlock()
		return nil, err
	}
	return h, nil
}

func hold(ctx context.Context, o Options, s *store, lock *flock.Flock, mine []string) (*Held, error) {
	taken, err := take(ctx, o, s, mine, func(nonce string) error { return noteNonce(o, append(mine, nonce)) })
	if err != nil {
		if errors.As(err, new(*state.LockedError)) {
			return nil, err
		}
		return nil, fmt.Errorf("the lease of the replica %s cannot be taken, so nothing is sent: %w", o.Name(), err)
	}
	snapshot := taken.lease // before it is renewed
	within, stop := context.WithCancelCause(ctx)
	taken.mu.Lock()
	taken.stop = stop
	taken.mu.Unlock()
	h := &Held{o: o, twin: state.TwinOf(o.State.Path), lock: lock, holding: taken, ctx: within}
	renewing, end := context.WithCancel(context.WithoutCancel(ctx))
	var ended sync.WaitGroup
	ended.Go(func() { taken.renew(renewing) })
	h.end = func() { end(); ended.Wait(); stop(nil) }
	removeSpools(filepath.Dir(o.State.Path))
	if h.manifest, err = s.manifest(within, &snapshot, o.State.Project); err == nil {
		h.note, err = bring(within, o, s, h.manifest)
	}
	if err != nil && o.Replace && within.Err() == nil && !errors.As(err, new(*state.LockedError)) {
		o.Log.Warn("the state that counts cannot be had, and is replaced", "reason", err.Error())
		h.note, h.missed, err = note{}, err, nil
	}
	if err != nil {
		h.release(context.WithoutCancel(ctx))
		h.end()
		return nil, fmt.Errorf("the replica %s: %w", o.Name(), err)
	}
	return h, nil
}

// Context ends with the lease.
func (h *Held) Context() context.Context { return h.ctx }

// Check returns why nothing may be sent any more, nil if all is well. It does not wait.
func (h *Held) Check() error { return h.holding.Check() }

// Missed returns why the state that counts could not be had, nil if it is here, and what it is like,
// nil if nobody knows.
func (h *Held) Missed() (*state.Mark, error) {
	if h.missed == nil || h.manifest == nil {
		return nil, h.missed
	}
	return &h.manifest.State, h.missed
}

// End keeps the state as a command left it and gives the lease back. The error says who has it
// if it was lost.
func (h *Held) End(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	defer func() { _ = h.lock.Unlock() }()
	defer h.end()
	err := h.Check()
	if err == nil {
		err = h.keepEnd(ctx)
	}
	if lost := h.Check(); lost != nil {
		return h.nameTaker(ctx, lost)
	}
	if err == nil { // else others would not know what was sent in the last minute, and so go above the limit
		h.release(ctx)
	}
	return err
}

func (h *Held) keepEnd(ctx context.Context) error {
	o := h.o.State
	o.MustExist, o.Known = false, nil
	s, err := state.Open(o)
	if err != nil || !s.Exists() {
		return err
	}
	if err := h.keep(ctx, s, nil, true); err != nil {
		return fmt.Errorf("the replica %s does not have the state as this command left it: %w: it is in %s, and the next command here keeps it; on another machine what was sent last is sent again", h.o.Name(), err, h.o.State.Path)
	}
	return nil
}

// release gives the lease back. If it cannot, others wait until it runs out.
func (h *Held) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := h.holding.update(ctx, func(l *lease) { l.Free = true }); err != nil {
		h.o.Log.Debug("the lease could not be given back", "reason", err.Error())
	}
}

// nameTaker says who has a lease that was lost, if somebody has.
func (h *Held) nameTaker(ctx context.Context, lost error) error {
	if errors.As(lost, new(*state.LockedError)) {
		return lost
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if l, _, err := h.holding.store.lease(ctx, h.o.State.Project); err == nil && l != nil && l.Nonce != h.holding.nonce {
		return l.locked(h.o)
	}
	return lost
}

// The lock of the folder keeps processes of one machine apart, and remembers the nonces of those
// that had it: once it is free, they have ended.

// readersTake is for how long a command that only reads may have the lock.
const readersTake = 20 * time.Second

func lockPath(o Options) string { return o.State.Path + state.TwinSuffix + ".lock" }

// lockFolder takes the lock, nil if another process has it.
func lockFolder(o Options) (lock *flock.Flock, mine []string, err error) {
	if err := os.MkdirAll(filepath.Dir(o.State.Path), 0o700); err != nil {
		return nil, nil, fmt.Errorf("the folder of the state: %w", err)
	}
	lock = flock.New(lockPath(o), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, nil, fmt.Errorf("lock the replica here: %w", err)
	}
	if !locked {
		return nil, nil, nil
	}
	text, err := os.ReadFile(noncePath(o))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		_ = lock.Unlock()
		return nil, nil, err
	}
	return lock, strings.Fields(string(text)), nil
}

func noncePath(o Options) string { return o.State.Path + state.TwinSuffix + ".holders" }

func noteNonce(o Options, all []string) error {
	const most = 4
	all = all[max(0, len(all)-most):]
	return os.WriteFile(noncePath(o), []byte(strings.Join(all, "\n")+"\n"), 0o600)
}
