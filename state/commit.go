package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"gleapsync/internal/attr"
)

// Acknowledgement is what Gleap acknowledged with one call.
type Acknowledgement struct {
	UserID     []byte
	At         time.Time
	Attributes []Change
	Fields     []Field
	Epoch      uint64 // of the resync that the contact has taken part in by now, 0: as before
	Unpark     bool   // nothing that is wanted of the contact is left over
}

// Change is an attribute with the value that was sent.
type Change struct {
	ID    uint32
	Value attr.Value
}

// Field is a contact field with the text that was sent. Only its hash is stored.
type Field struct {
	Field byte
	Text  []byte
}

// Parked is a contact whose call Gleap refused for good.
type Parked struct {
	UserID   string    `json:"-"`
	Status   int       `json:"status"` // of the answer, in HTTP
	Reason   string    `json:"reason"` // without data
	Attempts int       `json:"attempts"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Wanted   uint64    `json:"wanted,string"` // a hash of what was refused
}

// Commit writes acknowledgements and refusals in one transaction, and the pace with
// which they came, see [Overview].
func (s *Store) Commit(acks []Acknowledgement, parked []Parked, pace []byte) error {
	// In the order of the ids neighbouring records share a page.
	slices.SortStableFunc(acks, func(a, b Acknowledgement) int { return bytes.Compare(a.UserID, b.UserID) })
	return s.update(func(tx *bbolt.Tx) error {
		records, parkedBucket := tx.Bucket(bucketRecords), tx.Bucket(bucketParked)
		records.FillPercent = 0.9 // a first sync appends in order
		epoch := getUint(tx.Bucket(bucketMeta), keyEpoch)
		members := map[uint32]int{}
		traits, err := s.traits(tx)
		if err != nil {
			return err
		}
		var record Record
		for _, ack := range acks {
			record = Record{Attributes: record.Attributes[:0], Fields: record.Fields[:0]}
			if old := records.Get(ack.UserID); old == nil {
				record.Epoch = epoch // there is nothing from before to send again
			} else if err := record.Decode(old); err != nil {
				return s.damaged(err)
			}
			s.apply(&record, ack, traits, members)
			if err := records.Put(ack.UserID, record.append(nil)); err != nil {
				return err
			}
			if ack.Unpark && parkedBucket.Get(ack.UserID) != nil {
				if err := parkedBucket.Delete(ack.UserID); err != nil {
					return err
				}
			}
		}
		for _, p := range parked {
			var before Parked
			p.First, p.Attempts = p.Last, 1
			if old := parkedBucket.Get([]byte(p.UserID)); old != nil {
				if err := json.Unmarshal(old, &before); err != nil {
					return s.damaged(err)
				}
				p.First, p.Attempts = before.First, before.Attempts+1
			}
			if err := putJSON(parkedBucket, []byte(p.UserID), p); err != nil {
				return err
			}
		}
		if err := putPace(tx, pace); err != nil {
			return err
		}
		return s.addMembers(tx, members)
	})
}

// apply changes a record as ack says, and members as its attributes turn to or
// from true, or to or from a value.
func (s *Store) apply(record *Record, ack Acknowledgement, traits map[uint32]bool, members map[uint32]int) {
	at := max(ack.At.Unix(), record.Acknowledged) // clocks may be set back
	record.Acknowledged = at
	record.Epoch = max(record.Epoch, ack.Epoch)
	for _, c := range ack.Attributes {
		trait := traits[c.ID]
		members[c.ID] += MemberCount(trait, c.Value) - MemberCount(trait, record.Find(c.ID).Value)
		record.set(Known{c.ID, at, c.Value})
	}
	for _, f := range ack.Fields {
		record.setField(s.FieldHash(f.Field, f.Text))
	}
}

// MemberCount is 1 for the value of a member of an audience, and for any value of a
// trait, else 0.
func MemberCount(trait bool, v attr.Value) int {
	switch v.Kind() {
	case attr.None, attr.Null:
		return 0
	case attr.False:
		if !trait {
			return 0
		}
	}
	return 1
}

// traits returns which attributes are traits.
func (s *Store) traits(tx *bbolt.Tx) (map[uint32]bool, error) {
	all, err := s.attributes(tx)
	traits := make(map[uint32]bool, len(all))
	for _, a := range all {
		traits[a.ID] = a.Kind == KindTrait
	}
	return traits, err
}

func (s *Store) addMembers(tx *bbolt.Tx, members map[uint32]int) error {
	attributes := tx.Bucket(bucketAttributes)
	for id, n := range members {
		if n == 0 {
			continue
		}
		key := attributeKey(id)
		var a Attribute
		if err := json.Unmarshal(attributes.Get(key), &a); err != nil {
			return s.damaged(fmt.Errorf("attribute %d: %w", id, err))
		}
		a.Members += n
		if err := putJSON(attributes, key, a); err != nil {
			return err
		}
	}
	return nil
}
