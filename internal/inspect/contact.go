package inspect

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"gleapsync/internal/attr"
	"gleapsync/state"
	"gleapsync/sync"
)

// Contact is all that is known of one contact.
type Contact struct {
	UserID       string                `json:"user_id"`
	Attributes   map[string]attr.Value `json:"attributes"`   // what Gleap acknowledged last
	Acknowledged map[string]time.Time  `json:"acknowledged"` // when, by attribute
	Exports      map[string]sync.Said  `json:"exports"`      // what the present exports say
	Parked       *state.Parked         `json:"parked"`
	Events       []ContactEvent        `json:"events"`    // that are due, or parked
	Forgotten    bool                  `json:"forgotten"` // never to be created again
}

// Keys returns the keys of all attributes of the contact and of the exports, sorted.
func (c Contact) Keys() []string {
	keys := maps.Clone(c.Exports)
	for key := range c.Attributes {
		keys[key] = sync.Said{}
	}
	return slices.Sorted(maps.Keys(keys))
}

// Contact returns what Gleap acknowledged of a contact and what the exports say. It
// reads all exports.
func (v *View) Contact(ctx context.Context, userID string) (Contact, error) {
	o, err := v.store.Overview()
	if err != nil {
		return Contact{}, err
	}
	c, err := v.stored(userID, o)
	if err != nil {
		return c, err
	}
	c.Exports, err = sync.AskExports(ctx, v.o, v.store, userID)
	return c, err
}

// Stored returns what the state says of a contact. It reads no export: of the exports it has
// what changes said up to the last run.
func (v *View) Stored(userID string) (Contact, error) {
	o, err := v.store.Overview()
	if err != nil {
		return Contact{}, err
	}
	c, err := v.stored(userID, o)
	if err != nil {
		return c, err
	}
	said, err := v.store.Changed(userID)
	for _, n := range said.Attributes {
		for _, a := range o.Attributes {
			if a.ID == n.ID && !a.Gone() {
				c.Exports[a.Key] = sync.Said{Value: n.Value}
			}
		}
	}
	return c, err
}

// stored returns what the state says of a contact, without what changes said.
func (v *View) stored(userID string, o state.Overview) (Contact, error) {
	c := Contact{
		UserID: userID, Attributes: map[string]attr.Value{}, Acknowledged: map[string]time.Time{}, Exports: map[string]sync.Said{},
	}
	record, err := v.store.Record(userID)
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		return c, err
	}
	for _, a := range o.Attributes {
		if k := record.Find(a.ID); !a.Gone() && k.Value.Kind() != attr.None {
			c.Attributes[a.Key] = k.Value
			c.Acknowledged[a.Key] = time.Unix(k.At, 0).UTC()
		}
	}
	forgotten, err := v.store.Forgotten()
	if err != nil {
		return c, err
	}
	c.Forgotten = forgotten.Has([]byte(userID))
	parked, err := v.store.Parked()
	if err != nil {
		return c, err
	}
	for n := range parked {
		if parked[n].UserID == userID {
			c.Parked = &parked[n]
		}
	}
	c.Events, err = v.eventsOf(userID)
	return c, err
}
