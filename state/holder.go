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
// most, and at once in a new phase. That it cannot is no reason to end the run.
func (s *Store) Say(r Running) { s.keeper.say(r) }

func (k *keeper) say(r Running) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.file.Running
	if k.flock == nil || before != nil && before.Run == r.Run && before.Phase == r.Phase && r.At.Sub(before.At) < sayEvery {
		return
	}
	k.file.Running = &r
	_ = k.write()
}

// HolderOf returns who holds the lock of the state file at path, nil if nobody does. It does
// not touch the lock: whoever began meanwhile would find it held.
func HolderOf(path string) *Holder {
	f := readLockFile(path + ".lock")
	if f.Running == nil {
		return nil
	}
	host, _ := os.Hostname()
	if f.Running.At.Before(f.Since) { // it is of a run before that was lost
		return nil
	}
	if f.Host == host && !isAlive(f.PID) || f.Host != host && time.Since(f.Running.At) > silent {
		return nil
	}
	return &Holder{f.PID, f.Host, f.Since, *f.Running}
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
func Lost(s *Store) (*LostRun, error) {
	before := s.keeper.lost
	if before == nil {
		return nil, nil
	}
	lost := LostRun{Run: before.Run, Command: before.Command, Started: before.Started, Last: before.At}
	if !s.Exists() {
		return &lost, nil
	}
	err := s.read(func(tx *bbolt.Tx) error {
		delivered, err := readDelivered(tx)
		if delivered.Run == lost.Run {
			lost.Contacts, lost.Calls, lost.Parked = delivered.Contacts, delivered.Calls, delivered.Parked
		}
		return err
	})
	return &lost, err
}

// KeepLost stores the report of a run that was lost.
func KeepLost(s *Store, run string, report, history []byte) error {
	if err := s.ensure(); err != nil {
		return err
	}
	err := s.update(func(tx *bbolt.Tx) error {
		if err := putMeta(tx, keyHistory, history); err != nil {
			return err
		}
		if err := remove(tx.Bucket(bucketMeta), keyDelivered); err != nil {
			return err
		}
		return putRun(tx, run, report)
	})
	if err == nil {
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
