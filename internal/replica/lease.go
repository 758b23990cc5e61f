package replica

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"gleapsync/internal/bucket"
	"gleapsync/state"
)

const (
	leaseName = "lease.json"
	mostLease = 64 << 10
)

// lease is the object that says who may send, and which snapshot counts.
type lease struct {
	Format   int       `json:"format"`
	Project  string    `json:"project"`
	Fence    uint64    `json:"fence"` // goes up with each holder
	Nonce    string    `json:"nonce"` // of the holder
	Serial   uint64    `json:"serial"`
	Host     string    `json:"host"`
	PID      int       `json:"pid"`
	Command  string    `json:"command"`
	Since    time.Time `json:"since"`
	Renewed  time.Time `json:"renewed"`
	Expires  time.Time `json:"expires"`
	Free     bool      `json:"free"` // it was given back
	Snapshot *object   `json:"snapshot,omitempty"`
}

// lease returns the lease and its version, nil if there is none.
func (s *store) lease(ctx context.Context, project string) (*lease, string, error) {
	text, found, err := s.Get(ctx, s.folder+leaseName, mostLease)
	if errors.Is(err, bucket.ErrNotFound) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	var l lease
	if err := json.Unmarshal(text, &l); err != nil {
		return nil, "", fmt.Errorf("%s is no lease of gleapsync: set state.replica to a folder of its own", s.Name(s.folder+leaseName))
	}
	m := manifest{Format: l.Format, Project: l.Project, Whole: 1, Parts: make([]object, 1)}
	return &l, found.Version, m.check(project)
}

// lastFence returns the highest fencing number of the snapshots there are, 0 if there are none.
func (s *store) lastFence(ctx context.Context) (last uint64, err error) {
	for o, err := range s.List(ctx, s.folder+manifestNames) {
		if err != nil {
			return 0, err
		}
		if fence, ok := fenceOf(o.Key); ok {
			last = max(last, fence)
		}
	}
	return last, nil
}

// withoutLease is the error for a folder with snapshots and without the lease: nobody knows which of
// them counts, and to begin anew would leave members who have to leave.
func (s *store) withoutLease() error {
	return fmt.Errorf("%s is gone, although there are snapshots: nobody knows which of them counts. Put it back, or run gleapsync restore with a backup; to begin anew with a first sync, empty the folder", s.Name(s.folder+leaseName))
}

// locked is the error for whoever wants the lease too.
func (l *lease) locked(o Options) error {
	return &state.LockedError{Path: o.Name(), PID: l.PID, Host: l.Host, Since: l.Since}
}

// isTaken reports whether somebody may still send under the lease. mine are the nonces of
// processes in the same folder before this one, which have ended.
func (l *lease) isTaken(o Options, mine []string) bool {
	return !l.Free && !slices.Contains(mine, l.Nonce) && o.Now().Before(l.Expires.Add(o.Margin))
}

// holding is a lease that this process has.
type holding struct {
	o     Options
	store *store
	fence uint64
	nonce string

	writing sync.Mutex // of the object
	version string
	lease   lease

	mu    sync.Mutex
	until time.Time // nothing is sent after it
	wall  time.Time // the same by the wall clock, which goes on while a machine sleeps
	lost  error
	stop  context.CancelCauseFunc
}

// take takes the lease. mine is as in [lease.isTaken].
func take(ctx context.Context, o Options, s *store, mine []string, nonce func(string) error) (*holding, error) {
	var b [8]byte
	rand.Read(b[:])
	h := &holding{o: o, store: s}
	own := hex.EncodeToString(b[:])
	if err := nonce(own); err != nil {
		return nil, err
	}
	host, _ := os.Hostname()
	for range 10 {
		l, version, err := s.lease(ctx, o.State.Project)
		if err != nil {
			return nil, err
		}
		if l != nil && l.Nonce != own && l.isTaken(o, mine) {
			return nil, l.locked(o)
		}
		if l == nil {
			l = &lease{}
			if l.Fence, err = s.lastFence(ctx); err != nil {
				return nil, err
			}
			if l.Fence > 0 && !o.Replace {
				return nil, s.withoutLease()
			}
		} else if !l.Free && l.Nonce != own {
			o.Log.Warn("the run that had the replica before did not end: what it sent last may be sent again", "command", l.Command, "host", l.Host, "pid", l.PID, "renewed", l.Renewed)
		}
		h.version = version
		h.lease = lease{
			Format: format, Project: o.State.Project, Fence: l.Fence + 1, Nonce: own, Host: host, PID: os.Getpid(), Command: o.Command,
			Since: o.Now().UTC().Truncate(time.Second), Snapshot: l.Snapshot,
		}
		h.fence, h.nonce = h.lease.Fence, own
		switch err := h.put(ctx, h.lease); {
		case err == nil && version == "":
			return h, h.probe(ctx)
		case err == nil:
			return h, nil
		case !errors.Is(err, bucket.ErrCondition) && !errors.Is(err, errAgain):
			return nil, err
		}
	}
	return nil, fmt.Errorf("the lease of %s changes again and again: others take it at the same time, so try again", o.Name())
}

// probe makes sure that the storage does not write what it was told not to: else two machines
// could have the lease. It is done once, with a lease that is new.
func (h *holding) probe(ctx context.Context) error {
	key, text := h.store.folder+leaseName, []byte("{}")
	for _, c := range []bucket.Condition{{New: true}, {Version: h.otherVersion()}} {
		_, err := h.store.Put(ctx, key, text, c)
		if err == nil {
			_ = h.store.Delete(ctx, key)
			return fmt.Errorf("the storage of %s writes what it is told not to, so that two machines could send at once: use one that knows If-None-Match and If-Match", h.o.Name())
		}
		if !errors.Is(err, bucket.ErrCondition) {
			_ = h.store.Delete(ctx, key)
			return fmt.Errorf("whether its storage knows conditional writes cannot be tried out: %w", err)
		}
	}
	return nil
}

// otherVersion is a version that the lease does not have.
func (h *holding) otherVersion() string {
	if h.o.Address.Scheme == "gs" {
		return "1"
	}
	return `"00000000000000000000000000000000"`
}

// put writes the lease if it is as this process left it. Whether it was written although the
// answer says no, it finds out.
func (h *holding) put(ctx context.Context, next lease) error {
	began, wall := time.Now(), h.o.Now()
	next.Serial = h.lease.Serial + 1
	next.Renewed = wall.UTC().Truncate(time.Millisecond)
	next.Expires = next.Renewed.Add(h.o.TTL)
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	c := bucket.Condition{New: h.version == "", Version: h.version}
	version, err := h.store.Put(ctx, h.store.folder+leaseName, text, c)
	if errors.Is(err, bucket.ErrCondition) {
		present, of, readErr := h.store.lease(ctx, h.o.State.Project)
		switch {
		case readErr != nil:
			return readErr
		case present != nil && present.Nonce == next.Nonce && present.Serial == next.Serial && present.Renewed.Equal(next.Renewed):
			version, err = of, nil // the answer was lost
		case present != nil && present.Nonce == next.Nonce: // that of an earlier one was
			h.version, h.lease = of, *present
			return errAgain
		case present != nil && h.lease.Serial > 0 && present.Nonce != next.Nonce:
			return &takenError{present}
		}
	}
	if err != nil {
		return err
	}
	h.version, h.lease = version, next
	h.mu.Lock()
	defer h.mu.Unlock()
	h.until, h.wall = began.Add(h.o.TTL), wall.Add(h.o.TTL)
	return nil
}

// errAgain says that the version was another one of ours.
var errAgain = errors.New("the lease was written by this process before")

// takenError says that another process has the lease.
type takenError struct{ by *lease }

func (e *takenError) Error() string { return "the lease was taken over" }

// update writes the lease with a change, and tries that again while it is this process's. The
// error is why nothing may be sent any more, or that it could not be written yet.
func (h *holding) update(ctx context.Context, change func(*lease)) error {
	h.writing.Lock()
	defer h.writing.Unlock()
	for range 3 {
		if err := h.Check(); err != nil {
			return err
		}
		next := h.lease
		change(&next)
		err := h.put(ctx, next)
		var taken *takenError
		switch {
		case errors.As(err, &taken):
			h.lose(taken.by.locked(h.o))
			return h.Check()
		case errors.Is(err, errAgain):
			continue
		}
		return err
	}
	return errAgain
}

// Check returns why nothing may be sent any more, nil if all is well.
func (h *holding) Check() error {
	h.mu.Lock()
	over := time.Since(h.until) >= 0 || !h.o.Now().Before(h.wall)
	lost := h.lost
	h.mu.Unlock()
	if lost == nil && over {
		h.lose(fmt.Errorf("%w: the lease of %s could not be renewed for %s: nothing more is sent, and what was sent last may be sent again", errExpired, h.o.Name(), h.o.TTL))
		h.mu.Lock()
		lost = h.lost
		h.mu.Unlock()
	}
	return lost
}

var errExpired = errors.New("the replica is out of reach")

func (h *holding) lose(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lost == nil {
		h.lost = err
	}
	if h.stop != nil {
		h.stop(h.lost)
	}
}

// renew renews the lease until ctx ends.
func (h *holding) renew(ctx context.Context) {
	tick := time.NewTicker(min(h.o.Renew, h.o.TTL/20))
	defer tick.Stop()
	next := time.Now().Add(h.o.Renew)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if h.Check() != nil {
			return
		}
		if time.Now().Before(next) {
			continue
		}
		within, cancel := context.WithTimeout(ctx, h.o.TTL/2)
		err := h.update(within, func(*lease) {})
		cancel()
		switch {
		case err == nil:
			next = time.Now().Add(h.o.Renew)
		case ctx.Err() == nil:
			h.o.Log.Debug("the lease could not be renewed", "reason", err.Error())
		}
	}
}
