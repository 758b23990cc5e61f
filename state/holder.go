package state

import (
	"encoding/json"
	"os"
	"time"

	"go.etcd.io/bbolt"
)

// Running is the run that holds the lock, as the lock file has it.
type Running struct {
	Run     string    `json:"run"`
	Command string    `json:"command"`
	Started time.Time `json:"started"`
	Phase   string    `json:"phase"`
	Done    int       `json:"done"`
	Total   int       `json:"total"` // 0: not known
	At      time.Time `json:"at"`    // when it said so
	// Since is when the phase began, zero in what an earlier version says.
	Since time.Time `json:"phase_since,omitzero"`
}

// Rate returns how many were done in a second of the phase, 0 if nobody knows.
func (r Running) Rate() float64 {
	if took := r.At.Sub(r.Since).Seconds(); !r.Since.IsZero() && took > 0 {
		return float64(r.Done) / took
	}
	return 0
}

// Left returns how long the phase will still take from a time on, 0 if nobody knows.
func (r Running) Left(now time.Time) time.Duration {
	rate := r.Rate()
	if r.Total == 0 || rate == 0 {
		return 0
	}
	left := time.Duration(float64(r.Total-r.Done) / rate * float64(time.Second))
	return max(0, left-max(0, now.Sub(r.At)))
}

// Holder is who holds the lock.
type Holder struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Since   time.Time `json:"since"`
	Running Running   `json:"running"`
}

const (
	// sayEvery is how often a run says at most how far it is.
	sayEvery = time.Second
	// silent is for how long a run on another machine may say nothing before nobody knows
	// whether it goes on.
	silent = time.Minute
)

// Say notes how a run goes on that holds the lock, for [HolderOf]. It does so once a second at
// most, and at once in a new phase, and reports whether it did. That it cannot is no reason to end
// the run.
func (s *Store) Say(r Running) bool { return s.keeper.say(r) }

func (k *keeper) say(r Running) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.file.Running
	if k.flock == nil || before != nil && before.Run == r.Run && before.Phase == r.Phase && r.At.Sub(before.At) < sayEvery {
		return false
	}
	r.Since = r.At
	if before != nil && before.Run == r.Run && before.Phase == r.Phase {
		r.Since = before.Since
	}
	k.file.Running = &r
	return k.write() == nil
}

// HolderOf returns who holds the lock of the state file at path, nil if nobody does. It does
// not touch the lock: whoever began meanwhile would find it held.
func HolderOf(path string) *Holder {
	if f := readLockFile(path + ".lock"); f.goesOn() {
		return &Holder{f.PID, f.Host, f.Since, *f.Running}
	}
	return nil
}

// goesOn reports whether the run that a lock file names goes on, as far as that can be told from
// here.
func (f *lockFile) goesOn() bool {
	switch host, _ := os.Hostname(); {
	case f.Running == nil, f.Running.At.Before(f.Since): // that is a run before, which was lost
		return false
	case f.Host != host:
		return time.Since(f.Running.At) <= silent
	}
	return isAlive(f.PID) && !isOver(f.PID, f.Since)
}

// LostRun is a run that ended without a word: it was killed, or its machine was.
type LostRun struct {
	Run, Command string
	Started      time.Time
	Last         time.Time // when it was heard of last
	Contacts     int       // that were acknowledged
	Calls        int
	Parked       int // contacts
}

// Lost returns the run that had the lock before this one if it was lost, else nil.
func Lost(s *Store) (*LostRun, error) { return lostRun(s, s.keeper.lost) }

// FindLost returns the run that was lost last, nil if there is none or another run has stored its
// report. It touches the lock no more than [HolderOf] does.
func FindLost(s *Store) (*LostRun, error) {
	f := readLockFile(s.path + ".lock")
	if f.goesOn() {
		return nil, nil
	}
	return lostRun(s, f.Running)
}

func lostRun(s *Store, said *Running) (*LostRun, error) {
	if said == nil {
		return nil, nil
	}
	lost := &LostRun{Run: said.Run, Command: said.Command, Started: said.Started, Last: said.At}
	err := s.read(func(tx *bbolt.Tx) error {
		if tx.Bucket(bucketRuns).Get([]byte(said.Run)) != nil { // it came to its end, and was killed behind it
			lost = nil
			return nil
		}
		delivered, err := readDelivered(tx)
		if delivered.Run == lost.Run {
			lost.Contacts, lost.Calls, lost.Parked = delivered.Contacts, delivered.Calls, delivered.Parked
		}
		return err
	})
	return lost, err
}

// KeepReport stores the report of a run that has nothing else to store, such as one that was lost.
// It creates the file if there is none. Hold [Store.Lock].
func KeepReport(s *Store, run string, report, history []byte) error {
	if err := s.ensure(); err != nil {
		return err
	}
	lost := s.keeper.lost != nil && s.keeper.lost.Run == run
	err := s.update(func(tx *bbolt.Tx) error {
		if err := putMeta(tx, keyHistory, history); err != nil {
			return err
		}
		if lost {
			if err := remove(tx.Bucket(bucketMeta), keyDelivered); err != nil {
				return err
			}
		}
		return putRun(tx, run, report)
	})
	if err == nil && lost {
		s.keeper.mu.Lock()
		defer s.keeper.mu.Unlock()
		s.keeper.lost, s.keeper.file.Running = nil, nil
	}
	return err
}

// delivered is what a run that did not end yet delivered so far.
type delivered struct {
	Run      string `json:"run"`
	Contacts int    `json:"contacts"`
	Calls    int    `json:"calls"`
	Parked   int    `json:"parked"`
}

func readDelivered(tx *bbolt.Tx) (d delivered, err error) {
	text := get(tx.Bucket(bucketMeta), keyDelivered)
	if text == nil {
		return d, nil
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d, damaged(err)
	}
	return d, nil
}

// countDelivered counts what a run commits, so that it is known if the run is lost.
func countDelivered(tx *bbolt.Tx, d Delivery) error {
	if d.Run == "" || len(d.Acks) == 0 && len(d.Parked) == 0 {
		return nil
	}
	sum, err := readDelivered(tx)
	if err != nil {
		return err
	}
	if sum.Run != d.Run {
		sum = delivered{Run: d.Run}
	}
	for _, ack := range d.Acks {
		if ack.Last {
			sum.Contacts++
		}
	}
	sum.Calls += len(d.Acks)
	sum.Parked += len(d.Parked)
	text, err := json.Marshal(sum)
	if err != nil {
		return err
	}
	return put(tx.Bucket(bucketMeta), keyDelivered, text)
}
