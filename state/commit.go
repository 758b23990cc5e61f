package state

import (
	"bytes"
	"encoding/binary"
	"errors"
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
	Epoch      uint64  // of the resync that the contact has taken part in by now, 0: as before
	Unpark     bool    // nothing that is wanted of the contact is left over
	Events     []Event // that are due now, since the call was acknowledged
	Last       bool    // of the contact's calls, so that its events may be sent
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

// Delivery is what became of calls.
type Delivery struct {
	Run           string            // id; "": what it delivers need not be counted
	Acks          []Acknowledgement // of Identify Contact calls
	Parked        []Parked          // contacts that Gleap refused
	Events        []Event           // that Gleap acknowledged: they are due no more
	RefusedEvents []ParkedEvent     // that it refused
	Pace          []byte            // with which the calls came, see [Overview]; nil: as before
	Announced     []Announced       // contacts whose calls begin once this is committed
	NotTaken      [][]byte          // those of whom Gleap took nothing of what was announced
	Turns         *Turns            // how far the run came; nil: as before
	Assumed       bool              // nothing was sent: what is unanswered stays so
	Deleted       []string          // forgotten contacts that Gleap does not have any more
}

// Commit writes a delivery in one transaction. It returns events that are due of the
// contacts whose calls are over now; not all of them if they are many, see [Store.Due].
func (s *Store) Commit(d Delivery) (due []Event, err error) {
	acks, parked := d.Acks, d.Parked
	// In the order of the ids neighbouring records share a page.
	slices.SortStableFunc(acks, func(a, b Acknowledgement) int { return bytes.Compare(a.UserID, b.UserID) })
	err = s.update(func(tx *bbolt.Tx) error {
		records, parkedBucket := tx.Bucket(bucketRecords), tx.Bucket(bucketParked)
		records.FillPercent = 0.9 // a first sync appends in order
		epoch := getUint(tx.Bucket(bucketMeta), keyEpoch)
		attributes, err := readAttributes(tx)
		if err != nil {
			return err
		}
		tally := newTally(attributes)
		var record Record
		var values []byte // of all records: bbolt needs them until the transaction ends
		added, unparked := uint64(0), false
		for _, ack := range acks {
			record = Record{Attributes: record.Attributes[:0], Fields: record.Fields[:0]}
			if old := records.Get(ack.UserID); old == nil {
				record.Epoch = epoch // there is nothing from before to send again
				added++
			} else if err := record.unseal(ack.UserID, old); err != nil {
				return damaged(err)
			}
			apply(&record, ack, tally, s.FieldHash)
			from := len(values)
			values = record.append(values)
			values = binary.BigEndian.AppendUint32(values, checksum(ack.UserID, values[from:]))
			if err := records.Put(ack.UserID, values[from:len(values):len(values)]); err != nil {
				return err
			}
			if ack.Unpark && parkedBucket.Get(ack.UserID) != nil {
				unparked = true
				if err := remove(parkedBucket, ack.UserID); err != nil {
					return err
				}
			}
			if err := putEvents(tx, ack.Events); err != nil {
				return err
			}
		}
		if err := records.SetSequence(records.Sequence() + added); err != nil {
			return err
		}
		if err := park(tx, parked); err != nil {
			return err
		}
		if err := errors.Join(countDelivered(tx, d), answer(tx, d), settle(tx, d.Events, d.RefusedEvents), deleted(tx, d.Deleted), putMeta(tx, keyPace, d.Pace), putTurns(tx, d.Turns), tally.write(tx)); err != nil {
			return err
		}
		if unparked { // behind the tally, which has the attributes as they were
			if err := dropLists(tx); err != nil {
				return err
			}
		}
		var over [][]byte
		for _, ack := range acks {
			if ack.Last {
				over = append(over, ack.UserID)
			}
		}
		for _, p := range parked {
			over = append(over, []byte(p.UserID))
		}
		if due, err = dueOf(tx.Bucket(bucketEvents), nil, over...); err != nil {
			return damaged(err)
		}
		return nil
	})
	return due, err
}

// apply changes a record as ack says, and counts its attributes as they turn to or
// from true, or to or from a value. A value that was sent again keeps its time, except
// one from the future: the clock was ahead then.
func apply(record *Record, ack Acknowledgement, tally *tally, hash func(field byte, text []byte) FieldHash) {
	at := ack.At.Unix()
	record.Acknowledged = at
	for i := range record.Attributes {
		record.Attributes[i].At = min(record.Attributes[i].At, at)
	}
	record.Epoch = max(record.Epoch, ack.Epoch)
	record.Attributes = slices.DeleteFunc(record.Attributes, func(k Known) bool { return tally.gone[k.ID] })
	for _, c := range ack.Attributes {
		known := record.Find(c.ID)
		if known.Value.Equal(c.Value) {
			continue
		}
		tally.add(c.ID, c.Value, 1)
		tally.add(c.ID, known.Value, -1)
		record.set(Known{c.ID, at, c.Value})
	}
	for _, f := range ack.Fields {
		record.setField(hash(f.Field, f.Text))
	}
}
