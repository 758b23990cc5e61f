package replica

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"gleapsync/state"
)

// Status is what a replica is like, for people.
type Status struct {
	Address string     `json:"address"`
	Last    *Snapshot  `json:"last,omitempty"` // that counts; nil: there is none, or it could not be read
	Former  []Snapshot `json:"former,omitempty"`
	Slice   bool       `json:"slice,omitempty"`  // a run goes on, or was cut: Gleap may have more
	Holder  *Holder    `json:"holder,omitempty"` // who may send now
	// Here says where the local state stands: the same, newer, older, none, or another line.
	Here    string `json:"here"`
	Problem string `json:"problem,omitempty"` // why the replica could not be looked at
}

// Holder is who has a lease.
type Holder struct {
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Command string    `json:"command"`
	Since   time.Time `json:"since"`
	Expires time.Time `json:"expires"`
	Fence   uint64    `json:"fence"`
}

// Look brings the local state to what the bucket has, for a command that only reads, and says
// what the replica is like. While a command here has the replica, the local state is the newest
// there is. If the bucket cannot be read, the local state stays as it is, and the error says why.
func Look(ctx context.Context, o Options) (Status, error) {
	o = o.withDefaults()
	status := Status{Address: o.Name(), Here: "none"}
	if mark, err := localMark(o); err == nil && mark != nil {
		status.Here = "not compared"
	}
	err := look(ctx, o, &status)
	if err != nil {
		status.Problem = err.Error()
	}
	if status.Here == here[otherLine] || status.Here == here[unknown] && err != nil {
		err = fmt.Errorf("%w: %w", ErrOther, err)
	}
	return status, err
}

// ErrOther is what [Look] returns, wrapped, if the local state may be another one than the
// replica's.
var ErrOther = errors.New("the state here is not that of the replica")

func look(ctx context.Context, o Options, status *Status) error {
	s, err := openStore(ctx, o)
	if err != nil {
		return err
	}
	lock, _, err := lockFolder(o)
	if err != nil {
		return err
	}
	if lock != nil {
		defer lock.Unlock()
	}
	var m *manifest
	for range 3 { // what it names may be removed meanwhile
		var l *lease
		if l, _, err = s.lease(ctx, o.State.Project); err != nil {
			return err
		}
		if l == nil {
			if last, err := s.lastFence(ctx); err != nil || last > 0 {
				return cmp.Or(err, s.withoutLease())
			}
		}
		if l != nil && l.isTaken(o, nil) {
			status.Holder = &Holder{l.Host, l.PID, l.Command, l.Since, l.Expires, l.Fence}
		}
		if m, err = s.manifest(ctx, l, o.State.Project); err != nil {
			continue
		}
		if lock == nil { // a command here has it
			break
		}
		if status.Here, err = standingOf(o, m); err == nil {
			_, err = bring(ctx, o, s, m)
		}
		if err == nil || status.Here == here[otherLine] || status.Here == here[unknown] {
			break
		}
	}
	if m != nil {
		status.Last, status.Slice = &m.Snapshot, m.Slice != nil
		for _, f := range m.Former {
			status.Former = append(status.Former, f.Snapshot)
		}
	}
	return err
}

var here = map[standing]string{
	none: "none", ahead: "the same", behind: "older", cut: "older", unknown: "newer", otherLine: "another line",
}

// standingOf says where the local state stands.
func standingOf(o Options, m *manifest) (string, error) {
	local, err := localMark(o)
	if err != nil || m == nil {
		return here[none], err
	}
	n := readNote(o)
	var twin *state.Mark
	if n.ID != "" {
		if mark, err := state.TwinOf(o.State.Path).Mark(); err == nil {
			twin = &mark
		}
	}
	stands := stand(n, twin, local, m)
	if stands == ahead && local.Commits > m.State.Commits {
		return "newer", nil
	}
	return here[stands], nil
}

// Kept returns when a state was kept in a replica last, as far as this machine knows; zero if
// it does not.
func Kept(path string) time.Time {
	text, err := state.TwinOf(path).Note()
	if err != nil || text == nil {
		return time.Time{}
	}
	return parseNote(text).At
}
