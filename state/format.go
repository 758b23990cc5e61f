package state

import "go.etcd.io/bbolt"

// The versions of the file's format that this package reads and writes:
// docs/state-format.md. A file has the second one from its first change export on, the
// third one from its first event on, and the fourth one once it has a contact that was
// forgotten in another file.
const (
	formatVersion     = 1
	formatWithChanges = 2
	formatWithEvents  = 3
	formatWithSalts   = 4
)

var (
	bucketMeta       = []byte("meta")
	bucketAttributes = []byte("attributes")
	bucketRecords    = []byte("records")
	bucketParked     = []byte("parked")
	bucketRuns       = []byte("runs")
	bucketForgotten  = []byte("forgotten")
	bucketChanges    = []byte("changes") // these two only from [formatWithChanges] on
	bucketFiles      = []byte("files")
	// These only with [formatWithEvents] and later ones.
	bucketEvents       = []byte("events")
	bucketParkedEvents = []byte("parked_events")
	bucketMessages     = []byte("messages")

	bucketDeletions = []byte("deletions") // only in a file that ever had to delete contacts
	// When contacts were forgotten; only in a file that forgot some since it is kept.
	bucketForgottenAt = []byte("forgotten_at")

	lateBuckets = [][]byte{bucketChanges, bucketFiles, bucketEvents, bucketParkedEvents, bucketMessages}

	allBuckets = [][]byte{bucketMeta, bucketAttributes, bucketRecords, bucketParked, bucketRuns, bucketForgotten}

	keyFormat   = []byte("format")
	keyProject  = []byte("project")
	keyCreated  = []byte("created")
	keySalt     = []byte("salt")
	keyEpoch    = []byte("epoch")
	keyResynced = []byte("resynced")
	keyPace     = []byte("pace")
	keyHistory  = []byte("history")
	keyBooleans = []byte("booleans")
	keyGleap    = []byte("gleap")

	keyProperties = []byte("properties")

	keyUnanswered = []byte("unanswered")
	keyTurns      = []byte("turns")
	keyFields     = []byte("fields")
	keyListEnds   = []byte("list_ends")

	keyCommits   = []byte("commits")
	keyDelivered = []byte("delivered")

	keyErased = []byte("erased")
	keyOwed   = []byte("deletions")
)

// lateBucket returns a bucket that not all files have. A file that gets one has the format
// version that brought it, or a later one: versions that do not know it cannot forget what
// it holds.
func lateBucket(tx *bbolt.Tx, name []byte, version byte) (*bbolt.Bucket, error) {
	if b := tx.Bucket(name); b != nil {
		return b, nil
	}
	if err := raise(tx, version); err != nil {
		return nil, err
	}
	return tx.CreateBucketIfNotExists(name)
}

// raise gives a file a later format version.
func raise(tx *bbolt.Tx, version byte) error {
	if version >= formatWithEvents { // it has all of them, so that none can get lost
		for _, late := range lateBuckets {
			if _, err := tx.CreateBucketIfNotExists(late); err != nil {
				return err
			}
		}
	}
	return put(tx.Bucket(bucketMeta), keyFormat, []byte{version})
}
