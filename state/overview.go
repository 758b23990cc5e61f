package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"gleapsync/internal/nearest"
)

// Overview is what the file holds, except what can be many: records, parked contacts, events,
// files, reports.
type Overview struct {
	Created    time.Time
	Epoch      uint64 // of the last resync that was asked for
	Resynced   uint64 // of the last resync that was completed
	Attributes []Attribute
	Parked     int
	Forgotten  int  // contacts that are never to be created again
	Deletions  int  // forgotten contacts that Gleap may still have
	Erased     bool // free pages may still hold something of forgotten contacts
	// Events that are due, and those that Gleap refused.
	DueEvents, ParkedEvents int
	Bytes                   int64
	Pace                    []byte       // what the client's pacer left for the next one; nil: nothing
	History                 []byte       // what the last run left in [Result.History]; nil: nothing
	Properties              []byte       // what was left last in [NewEvents.Properties]; nil: nothing
	Booleans                []byte       // what [Store.SetTold] left; nil: nothing
	Gleap                   string       // which Gleap was told, as [Store.SetTold] left it; "": nobody knows
	Unanswered              []Unanswered // in the order of the user ids
	Turns                   Turns        // what is left over of the last run, and how far it came
	// Fields are the contact fields that were delivered as a whole. In a file that does not
	// say so, nil, these are all if an export with fields was.
	Fields   []byte
	ListEnds map[string]bool // what was left last in [Result.ListEnds]
}

// Overview reads the file's overview. An empty store has the epoch 1.
func (s *Store) Overview() (Overview, error) {
	o := Overview{Epoch: 1}
	err := s.read(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		o.Epoch, o.Resynced = getUint(meta, keyEpoch), getUint(meta, keyResynced)
		o.Created, _ = time.Parse(time.RFC3339, string(get(meta, keyCreated)))
		o.Parked = int(tx.Bucket(bucketParked).Sequence())
		o.Forgotten = int(tx.Bucket(bucketForgotten).Sequence())
		o.Erased = get(meta, keyErased) != nil
		owed, err := readDeletions(tx)
		if err != nil {
			return err
		}
		o.Deletions = len(owed)
		o.DueEvents, o.ParkedEvents = entries(tx, bucketEvents), entries(tx, bucketParkedEvents)
		for _, name := range [][]byte{bucketEvents, bucketParkedEvents} {
			if b := tx.Bucket(name); b != nil && (entries(tx, name) == 0) != isEmpty(b) {
				return errCount
			}
		}
		o.Bytes = tx.Size()
		o.Pace, o.History = bytes.Clone(get(meta, keyPace)), bytes.Clone(get(meta, keyHistory))
		o.Properties = bytes.Clone(get(meta, keyProperties))
		o.Booleans, o.Gleap = bytes.Clone(get(meta, keyBooleans)), string(get(meta, keyGleap))
		o.Fields = bytes.Clone(get(meta, keyFields))
		if text := get(meta, keyListEnds); text != nil {
			if err := json.Unmarshal(text, &o.ListEnds); err != nil {
				return fmt.Errorf("how the lists ended cannot be decoded: %w", err)
			}
		}
		if o.Turns, err = readTurns(tx); err != nil {
			return err
		}
		if o.Unanswered, err = readUnanswered(tx); err != nil {
			return err
		}
		o.Attributes, err = readAttributes(tx)
		return err
	})
	return o, err
}

// putListEnds stores how lists ended; nil stands for what is there.
func putListEnds(tx *bbolt.Tx, ends map[string]bool) error {
	if ends == nil {
		return nil
	}
	return putJSON(tx.Bucket(bucketMeta), keyListEnds, ends)
}

// Present returns the attributes that are not gone.
func (o Overview) Present() []Attribute {
	return slices.DeleteFunc(slices.Clone(o.Attributes), Attribute.Gone)
}

// Attribute returns the attribute of a key that is not gone, or [ErrNotFound].
func (o Overview) Attribute(key string) (Attribute, error) {
	var keys []string
	for _, a := range o.Present() {
		if a.Key == key {
			return a, nil
		}
		keys = append(keys, a.Key)
	}
	return Attribute{}, fmt.Errorf("there is no audience or trait %q: %w, see gleapsync inspect audiences%s", key, ErrNotFound, nearest.Hint(key, keys))
}

func isEmpty(b *bbolt.Bucket) bool {
	first, _ := b.Cursor().First()
	return first == nil
}

// entries returns how many entries a bucket has that not all files have.
func entries(tx *bbolt.Tx, name []byte) int {
	if b := tx.Bucket(name); b != nil {
		return int(b.Sequence())
	}
	return 0
}
