package sync

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// ContactDetail is all that is known of one contact.
type ContactDetail struct {
	UserID       string                `json:"user_id"`
	Attributes   map[string]attr.Value `json:"attributes"`   // what Gleap acknowledged last
	Acknowledged map[string]time.Time  `json:"acknowledged"` // when, by attribute
	Exports      map[string]Said       `json:"exports"`      // what the present exports say
	Parked       *state.Parked         `json:"parked"`
	Events       []ContactEvent        `json:"events"`    // that are due, or parked
	Forgotten    bool                  `json:"forgotten"` // never to be created again
}

// Keys returns the keys of all attributes of the contact and of the exports, sorted.
func (d ContactDetail) Keys() []string {
	keys := maps.Clone(d.Exports)
	for key := range d.Attributes {
		keys[key] = Said{}
	}
	return slices.Sorted(maps.Keys(keys))
}

// Said is what an export says about an attribute of a contact.
type Said struct {
	Value  attr.Value `json:"value"`            // null if it says nothing
	Absent bool       `json:"absent,omitempty"` // the contact is not in the export
	Error  string     `json:"error,omitempty"`  // the export cannot be read
}

// Contact returns what Gleap acknowledged of a contact and what the exports say. It
// reads all exports.
func (i *Inspector) Contact(ctx context.Context, userID string) (ContactDetail, error) {
	o, err := i.store.Overview()
	if err != nil {
		return ContactDetail{}, err
	}
	d, err := i.stored(userID, o)
	if err != nil {
		return d, err
	}
	exports := keepKeys(i.exports, o.Attributes)
	for n, e := range exports {
		if e.Changes {
			if err := i.askChanges(ctx, &d, n, o); err != nil {
				return d, err
			}
			continue
		}
		e.Attributes = slices.Concat(e.Attributes, remembered(e, exports, o.Attributes))
		know(&e.Export, o.Attributes)
		if err := i.ask(ctx, &d, e); err != nil {
			return d, err
		}
	}
	return d, nil
}

// Stored returns what the state says of a contact. It reads no export: of the exports it has
// what changes said up to the last run.
func (i *Inspector) Stored(userID string) (ContactDetail, error) {
	o, err := i.store.Overview()
	if err != nil {
		return ContactDetail{}, err
	}
	d, err := i.stored(userID, o)
	if err != nil {
		return d, err
	}
	said, err := i.store.Changed(userID)
	for _, n := range said.Attributes {
		for _, a := range o.Attributes {
			if a.ID == n.ID && !a.Gone() {
				d.Exports[a.Key] = Said{Value: n.Value}
			}
		}
	}
	return d, err
}

// stored returns what the state says of a contact, without what changes said.
func (i *Inspector) stored(userID string, o state.Overview) (ContactDetail, error) {
	d := ContactDetail{
		UserID: userID, Attributes: map[string]attr.Value{}, Acknowledged: map[string]time.Time{}, Exports: map[string]Said{},
	}
	record, err := i.store.Record(userID)
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		return d, err
	}
	for _, a := range o.Attributes {
		if k := record.Find(a.ID); !a.Gone() && k.Value.Kind() != attr.None {
			d.Attributes[a.Key] = k.Value
			d.Acknowledged[a.Key] = time.Unix(k.At, 0).UTC()
		}
	}
	forgotten, err := i.store.Forgotten()
	if err != nil {
		return d, err
	}
	d.Forgotten = forgotten.Has([]byte(userID))
	parked, err := i.store.Parked()
	if err != nil {
		return d, err
	}
	for n := range parked {
		if parked[n].UserID == userID {
			d.Parked = &parked[n]
		}
	}
	d.Events, err = i.eventsOf(userID)
	return d, err
}

// ask adds what one export says.
func (i *Inspector) ask(ctx context.Context, d *ContactDetail, e Export) error {
	found := false
	values := make([]attr.Value, len(e.Attributes))
	if e.Source == engage.Stdin { // what is there is for a sync, and can be read once
		for _, a := range e.Attributes {
			d.Exports[a.Key] = Said{Error: "the standard input is read by a sync only"}
		}
		return nil
	}
	result, err := i.read(ctx, e, func(userID []byte, cells []attr.Value) error {
		if string(userID) != d.UserID {
			return nil
		}
		found = true
		for n, cell := range cells[:len(values)] {
			if cell.Kind() > attr.Null || values[n].Kind() == attr.None { // null says nothing
				values[n] = cell.Clone()
			}
		}
		return nil
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for n, a := range e.Attributes {
		if err == nil {
			values[n] = typed(a, result.Attributes[n].Fits, values[n])
		}
		said := Said{Value: values[n], Absent: !found || e.ProfileIDs != nil && values[n].Kind() == attr.None}
		if err != nil {
			said = Said{Error: err.Error()}
		} else if missing := result.Attributes[n].Err; missing != nil {
			said = Said{Error: missing.Error()}
		}
		d.Exports[a.Key] = said
	}
	return nil
}

// typed makes a value of its attribute's type of what a row says.
func typed(settings engage.Attribute, fits engage.Fits, v attr.Value) attr.Value {
	a := attribute{Attribute: settings}
	a.decideType(fits)
	return a.value(v)
}

func (i *Inspector) read(ctx context.Context, e Export, yield func(userID []byte, cells []attr.Value) error) (engage.Result, error) {
	if e.ProfileIDs != nil {
		return readProfiles(ctx, e, i.memory, i.temp, yield)
	}
	source, err := e.Open(ctx)
	if err != nil {
		return engage.Result{}, err
	}
	return source.Read(ctx, yield)
}

// askChanges adds what a change export said, and what its new files say.
func (i *Inspector) askChanges(ctx context.Context, d *ContactDetail, n int, o state.Overview) error {
	said, err := i.store.Changed(d.UserID)
	if err != nil {
		return err
	}
	p := &plan{runner: &Runner{o: Options{Exports: i.exports, Fields: i.fields}}, overview: o}
	p.settings = keepKeys(i.exports, o.Attributes)
	if p.files, err = i.store.Files(); err != nil {
		return err
	}
	if err := p.addExports(Request{}); err != nil {
		return err
	}
	e := p.exports[n]
	source, openErr := e.Open(ctx)
	if openErr == nil {
		e.source = source
	}
	err = cmp.Or(p.openChanges(e, Request{}), openErr)
	type change struct {
		engage.Change
		computation int
	}
	var all []change
	if err == nil {
		var result engage.ChangesResult
		result, err = e.source.ReadChanges(ctx, func(c *engage.Change) error {
			if string(c.UserID) == d.UserID && c.Computation >= 0 {
				all = append(all, change{engage.Change{At: c.At, Message: c.Message, Value: c.Value.Clone()}, c.Computation})
			}
			return nil
		})
		e.computations = result.Computations
		p.identify(e, Request{})
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, c := range all {
		if a := e.changes[c.computation]; err == nil && a != nil {
			if v := a.value(c.Value); v.Kind() != attr.None {
				said.Add(a.id, c.At, c.Message, v)
			}
		}
	}
	for _, a := range e.attributes {
		s := Said{Absent: true}
		for _, n := range said.Attributes {
			if n.ID == a.id {
				s = Said{Value: n.Value}
			}
		}
		switch {
		case err != nil:
			s = Said{Error: err.Error()}
		case a.status == runs.StatusHeld:
			s = Said{Error: a.reason}
		}
		d.Exports[a.Key] = s
	}
	return nil
}
