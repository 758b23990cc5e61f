package inspect

import (
	"context"
	"maps"
	"slices"
	"time"

	"gleapsync/internal/attr"
	"gleapsync/internal/inputs"
	"gleapsync/state"
	"gleapsync/sync"
)

// Contact is all that is known of one contact.
type Contact struct {
	UserID       string                 `json:"user_id"`
	Attributes   map[string]attr.Value  `json:"attributes"`   // what Gleap acknowledged last
	Acknowledged map[string]time.Time   `json:"acknowledged"` // when, by attribute
	Exports      map[string]inputs.Said `json:"exports"`      // what the present exports say
	Parked       *state.Parked          `json:"parked"`
	Events       []ContactEvent         `json:"events"`    // that are due, or parked
	Forgotten    bool                   `json:"forgotten"` // never to be created again
	ForgottenAt  time.Time              `json:"forgotten_at,omitzero"`
	Owed         bool                   `json:"deletion_owed,omitempty"` // it is forgotten, and Gleap may still have it
	LastCall     time.Time              `json:"last_call,omitzero"`      // that Gleap acknowledged
	Fields       []string               `json:"fields,omitempty"`        // contact fields that it acknowledged, by Gleap's names
	Runs         map[string]string      `json:"runs,omitempty"`          // that sent what Gleap acknowledged, by attribute, as far as it can be told
	// History is what Gleap was told, call by call, the oldest first, as far as the log of
	// deliveries has it. HistoryError says why it has not.
	History      []Told            `json:"history,omitempty"`
	HistoryError string            `json:"history_error,omitempty"`
	FieldsSent   map[string]Call   `json:"fields_sent,omitempty"` // the calls that sent the fields last, by Gleap's names, by the same log
	Next         *sync.Next        `json:"next,omitempty"`        // what the next run would do
	Will         map[string]string `json:"will,omitempty"`        // the same in words, by attribute
}

// Keys returns the keys of all attributes of the contact and of the exports, sorted.
func (c Contact) Keys() []string {
	keys := maps.Clone(c.Exports)
	for key := range c.Attributes {
		keys[key] = inputs.Said{}
	}
	return slices.Sorted(maps.Keys(keys))
}

// Contact returns what Gleap acknowledged of a contact and what the exports say. It
// reads all exports.
func (v *View) Contact(ctx context.Context, userID string) (Contact, error) {
	c, err := v.Stored(userID)
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
	stored, err := v.store.Contact(userID)
	if err != nil {
		return Contact{}, err
	}
	c := Contact{
		UserID: userID, Attributes: map[string]attr.Value{}, Acknowledged: map[string]time.Time{}, Exports: map[string]inputs.Said{},
		Parked: stored.Parked, Forgotten: stored.Forgotten,
	}
	keys := map[uint32]string{}
	for _, a := range o.Present() {
		keys[a.ID] = a.Key
	}
	for _, k := range stored.Record.Attributes {
		if key, ok := keys[k.ID]; ok {
			c.Attributes[key] = k.Value
			c.Acknowledged[key] = time.Unix(k.At, 0).UTC()
		}
	}
	for _, n := range stored.Said.Attributes {
		if key, ok := keys[n.ID]; ok {
			c.Exports[key] = inputs.Said{Value: n.Value}
		}
	}
	if stored.Record.Acknowledged > 0 {
		c.LastCall = time.Unix(stored.Record.Acknowledged, 0).UTC()
	}
	c.Fields = sync.FieldNames(&stored.Record)
	if c.Forgotten {
		if err := v.addForgotten(&c); err != nil {
			return c, err
		}
	}
	c.Events, err = eventsOf(stored)
	return c, err
}
