package state

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// A state that is gone looks like a first run, and an older copy of it like a good state: each
// would let people stay members for good. So what the file was like is kept beside it, in the
// lock file, and in the memory of a process that goes on.

// Mark tells a state file from others, and from older copies of itself.
type Mark struct {
	ID        string    `json:"id"` // a hash of its salt
	Created   time.Time `json:"created"`
	Commits   uint64    `json:"commits"`   // that were made to it
	Forgotten int       `json:"forgotten"` // entries of its list of forgotten contacts, or more than there are
}

// Mark returns that of the file as this store saw it last, nil if it saw none.
func (s *Store) Mark() *Mark { return s.keeper.seen }

func markOf(tx *bbolt.Tx) Mark {
	meta := tx.Bucket(bucketMeta)
	m := Mark{ID: stateID(get(meta, keySalt)), Commits: getUint(meta, keyCommits), Forgotten: int(tx.Bucket(bucketForgotten).Sequence())}
	m.Created, _ = time.Parse(time.RFC3339, string(get(meta, keyCreated)))
	return m
}

// stateID names a state in the open, where its salt must not be.
func stateID(salt []byte) string {
	sum := sha256.Sum256(salt)
	return hex.EncodeToString(sum[:8])
}

// newest returns what the lock file says, or what this process knows if that is more. Of
// another state the lock file is right: somebody restored it.
func newest(ofLock, known *Mark) *Mark {
	if ofLock == nil || known != nil && known.ID == ofLock.ID && known.Commits > ofLock.Commits {
		return known
	}
	return ofLock
}

// compare returns what is wrong with the present state, nil if there is none, after a run that
// left before.
func (k *keeper) compare(before, present *Mark) error {
	switch {
	case before == nil:
		return nil
	case present == nil:
		return k.goneError(before)
	case before.ID != present.ID:
		return fmt.Errorf("the state file %s is not the one that the last run left: that was begun on %s, this one on %s. Put that one back, or run gleapsync restore %s to go on with this one",
			k.path, before.Created.Format(time.RFC3339), present.Created.Format(time.RFC3339), k.path)
	case before.Commits > present.Commits:
		return fmt.Errorf("the state file %s is older than the last run left it, by %d commits: it does not know what Gleap was told since. Put the newer one back, or run gleapsync restore %s to go on with this one",
			k.path, before.Commits-present.Commits, k.path)
	}
	return nil
}

// accept takes the present state for the one to go on with, if it is as a run left it.
func (k *keeper) accept(before *Mark) error {
	if err := k.compare(newest(before, k.known), k.seen); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.file.State = k.seen
	return nil
}

// goneError says that there was a state, and what to do.
func (k *keeper) goneError(before *Mark) error {
	return fmt.Errorf("the state file %s is gone, and without it nobody knows who has to leave: the last run left one, begun on %s. Put it back, or run gleapsync restore with a backup; to begin anew with a first sync, remove %s too (and end a gleapsync serve that knew it)",
		k.path, before.Created.Format(time.RFC3339), holderPath(k.path+".lock"))
}

// missing returns the error for a file that is not there although there was one.
func (k *keeper) missing() error {
	if before := newest(readLockFile(k.path+".lock").State, k.known); before != nil {
		return k.goneError(before)
	}
	return nil
}

// explain says of a file that is not there while the lock is held that it was taken away.
func (k *keeper) explain(err error) error {
	if errors.As(err, new(missingError)) && k.flock != nil && k.seen != nil {
		return fmt.Errorf("%w: %s is gone, and what Gleap took last cannot be stored: nothing more is sent. Put it back, or run gleapsync restore with a backup", ErrTakenAway, k.path)
	}
	return err
}

// checkCommits makes sure, while the lock is held, that the file is the one to which this
// store wrote last.
func (k *keeper) checkCommits(tx *bbolt.Tx) error {
	if k.flock == nil {
		return nil
	}
	present := markOf(tx)
	if present.ID == k.seen.ID && (present.Commits == k.seen.Commits || k.unsure && present.Commits == k.seen.Commits+1) {
		return nil
	}
	return fmt.Errorf("%w: %s was replaced by another or an older one while it ran, and what Gleap took last cannot be stored in that: nothing more is sent. Put the right one back, or run gleapsync restore %s to go on with this one", ErrTakenAway, k.path, k.path)
}

// wrote notes that a commit was made, or may have been. What stands in the lock file is for
// the next run, so that it cannot be written fails no commit.
func (k *keeper) wrote(after Mark, err error) {
	if err != nil {
		k.unsure = after.ID != ""
		return
	}
	k.seen, k.unsure = &after, false
	_ = k.mark(k.seen)
}

// expectForgotten notes that so many contacts more are about to be forgotten. It comes before
// the commit: whoever restores a backup has to know that there is such a list.
func (k *keeper) expectForgotten(n int) error {
	if k.flock == nil {
		return nil
	}
	expected := *k.seen
	expected.Forgotten += n
	return k.mark(&expected)
}

// mark writes what the state is like from now on, while the lock is held.
func (k *keeper) mark(state *Mark) error {
	if k.flock == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.file.State = state
	return k.write()
}
