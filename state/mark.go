package state

import (
	"crypto/sha256"
	"encoding/hex"
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
func (s *Store) Mark() *Mark { return s.seen }

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
func (s *Store) compare(before, present *Mark) error {
	switch {
	case before == nil:
		return nil
	case present == nil:
		return s.goneError(before)
	case before.ID != present.ID:
		return fmt.Errorf("the state file %s is not the one that the last run left: that was begun on %s, this one on %s. Put that one back, or run gleapsync restore %s to go on with this one",
			s.path, before.Created.Format(time.RFC3339), present.Created.Format(time.RFC3339), s.path)
	case before.Commits > present.Commits:
		return fmt.Errorf("the state file %s is older than the last run left it, by %d commits: it does not know what Gleap was told since. Put the newer one back, or run gleapsync restore %s to go on with this one",
			s.path, before.Commits-present.Commits, s.path)
	}
	return nil
}

// goneError says that there was a state, and what to do.
func (s *Store) goneError(before *Mark) error {
	return fmt.Errorf("the state file %s is gone, and without it nobody knows who has to leave: the last run left one, begun on %s. Put it back, or run gleapsync restore with a backup; to begin anew with a first sync, remove %s too (and end a gleapsync serve that knew it)",
		s.path, before.Created.Format(time.RFC3339), holderPath(s.path+".lock"))
}

// missing returns the error for a file that is not there although there was one.
func (s *Store) missing() error {
	if before := newest(readLockFile(s.path+".lock").State, s.known); before != nil {
		return s.goneError(before)
	}
	return nil
}

// checkCommits makes sure, while the lock is held, that the file is the one to which this
// store wrote last.
func (s *Store) checkCommits(tx *bbolt.Tx) error {
	if s.held == nil {
		return nil
	}
	present := markOf(tx)
	if present.ID == s.seen.ID && (present.Commits == s.seen.Commits || s.unsure && present.Commits == s.seen.Commits+1) {
		return nil
	}
	return fmt.Errorf("%w: %s was replaced by another or an older one while it ran, and what Gleap took last cannot be stored in that: nothing more is sent. Put the right one back, or run gleapsync restore %s to go on with this one", ErrLost, s.path, s.path)
}

// wrote notes that a commit was made, or may have been. What stands in the lock file is for
// the next run, so that it cannot be written fails no commit.
func (s *Store) wrote(after Mark, err error) {
	if err != nil {
		s.unsure = after.ID != ""
		return
	}
	s.seen, s.unsure = &after, false
	if s.held != nil {
		s.held.file.State = s.seen
		_ = s.writeMark()
	}
}

// expectForgotten notes that so many contacts more are about to be forgotten. It comes before
// the commit: whoever restores a backup has to know that there is such a list.
func (s *Store) expectForgotten(n int) error {
	if s.held == nil {
		return nil
	}
	mark := *s.seen
	mark.Forgotten += n
	s.held.file.State = &mark
	return s.writeMark()
}
