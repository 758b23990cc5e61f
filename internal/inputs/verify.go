package inputs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"gleapsync/internal/rowlist"
	"gleapsync/state"
)

// VerifyLists counts the members of each attribute again whose export left a list of its rows: those
// whose rows have a value of it, as the list says, or else the records. A list that is gone or damaged
// counts for nothing, and is no error. Hold [state.Store.Lock].
func VerifyLists(store *state.Store) error {
	b, err := unsettledNow(store)
	if err != nil {
		return err
	}
	lists := map[string]map[uint32]*state.Attribute{} // by list, then by id
	for i, a := range b.Overview.Attributes {
		if a.Retired || a.Applied.List == "" || a.Applied.Fingerprint == "" {
			continue
		}
		if lists[a.Applied.List] == nil {
			lists[a.Applied.List] = map[uint32]*state.Attribute{}
		}
		lists[a.Applied.List][a.ID] = &b.Overview.Attributes[i]
	}
	for list, attributes := range lists {
		counted, err := b.countListed(store, list, attributes)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, rowlist.ErrDamaged) {
			continue
		}
		if err != nil {
			return err
		}
		for id, a := range attributes {
			if counted[id] != a.Applied.Members {
				return fmt.Errorf("the list of rows %s does not fit the state: %s had %d members when it was written, and %d are counted. Remove that file: the next sync then reads the whole export",
					rowlist.Path(store.Path(), list), a.Key, a.Applied.Members, counted[id])
			}
		}
	}
	return nil
}

// unsettledNow returns what [Basis.IsUnsettled] needs.
func unsettledNow(store *state.Store) (*Basis, error) {
	o, err := store.Overview()
	if err != nil {
		return nil, err
	}
	b := &Basis{Overview: o, Unanswered: o.Unanswered}
	b.Parked, err = store.Parked()
	return b, err
}

// countListed counts the contacts of a list whose rows have a value of an attribute. Where the
// records have to be what the rows said, these count.
func (b *Basis) countListed(store *state.Store, list string, attributes map[uint32]*state.Attribute) (map[uint32]int, error) {
	rows, err := rowlist.Open(store.Path(), list)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	counted, noted := map[uint32]int{}, map[uint32]rowlist.Said{}
	records := store.Records()
	var record state.Record
	has := records.Next()
	for row := rows.Next(); row != nil; row = rows.Next() {
		for has && bytes.Compare(records.UserID(), row.UserID) < 0 {
			has = records.Next()
		}
		record = state.Record{Attributes: record.Attributes[:0], Fields: record.Fields[:0]}
		if has && bytes.Equal(records.UserID(), row.UserID) {
			if err := record.Decode(records.Record()); err != nil {
				return nil, err
			}
		}
		unsettled := b.IsUnsettled(row.UserID)
		clear(noted)
		for n := range row.Notes.All() {
			noted[n.ID] = n.Said
		}
		for id, a := range attributes {
			said, isNoted := noted[id]
			switch {
			case !isNoted || !unsettled && said != rowlist.Nothing:
				counted[id] += state.MemberCount(a.Kind == state.KindTrait, record.Find(id).Value)
			case said == rowlist.Member:
				counted[id]++
			}
		}
	}
	return counted, errors.Join(rows.Err(), records.Err())
}
