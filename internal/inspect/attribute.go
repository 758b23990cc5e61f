package inspect

import (
	"slices"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/inputs"
	"gleapsync/internal/kept"
	"gleapsync/internal/runs"
	"gleapsync/internal/values"
	"gleapsync/state"
)

// Attribute is one attribute of the state.
type Attribute struct {
	Key     string      `json:"key"`
	Name    string      `json:"name"`
	Kind    engage.Kind `json:"kind"`
	Type    values.Type `json:"type,omitempty"` // of the values: boolean, number or string
	Members int         `json:"members"`        // contacts for which Gleap acknowledged true or a value
	AsOf    time.Time   `json:"as_of,omitzero"`
	Applied time.Time   `json:"applied,omitzero"`
	Unfed   bool        `json:"unfed,omitempty"` // no export feeds it, and it is not retired
	// What the last sync did not believe of it, and why:
	Held     bool   `json:"held,omitempty"`
	Withheld int    `json:"withheld,omitempty"` // exits
	Reason   string `json:"reason,omitempty"`
}

// Attributes lists the state's attributes.
func (v *View) Attributes() ([]Attribute, error) {
	o, err := v.store.Overview()
	all := v.attributesOf(o)
	if err == nil {
		err = v.addHeld(all)
	}
	return all, err
}

// addHeld adds what the last sync held and withheld of attributes.
func (v *View) addHeld(all []Attribute) error {
	last, err := v.LastSync()
	if err != nil || last == nil {
		return err
	}
	held := map[string]runs.ExportReport{}
	for _, e := range last.Exports {
		if e.IsHeld() {
			held[e.Key] = e
		}
	}
	for i := range all {
		e := held[all[i].Key]
		all[i].Held, all[i].Withheld, all[i].Reason = e.Status == runs.StatusHeld, e.Withheld, e.Reason
	}
	return nil
}

func (v *View) attributesOf(o state.Overview) []Attribute {
	all, keys := []Attribute{}, kept.Keys(o.Attributes)
	for _, a := range o.Present() {
		all = append(all, v.attributeOf(keys, a))
	}
	return all
}

func (v *View) attributeOf(keys map[engage.Named]string, a state.Attribute) Attribute {
	fed := a.Retired || slices.ContainsFunc(v.o.Exports, func(e inputs.Export) bool { return kept.Feeds(e.Export, keys, a) })
	return Attribute{a.Key, a.Name, engage.Kind(a.Kind), typeOf(a), a.Members, a.Applied.AsOf, a.Applied.At, !fed, false, 0, ""}
}

// typeOf returns the type of an attribute's values, "" if nobody knows it.
func typeOf(a state.Attribute) values.Type {
	if a.Kind != state.KindTrait {
		return values.Boolean
	}
	return values.Type(a.Type)
}

// Attribute returns one attribute of the state, or [state.ErrNotFound].
func (v *View) Attribute(key string) (Attribute, error) {
	o, err := v.store.Overview()
	if err != nil {
		return Attribute{}, err
	}
	a, err := o.Attribute(key)
	all := []Attribute{v.attributeOf(kept.Keys(o.Attributes), a)}
	if err == nil {
		err = v.addHeld(all)
	}
	return all[0], err
}

// Members calls yield with the user ids of an attribute's members, in their order.
func (v *View) Members(key string, yield func(userID string) error) error {
	o, err := v.store.Overview()
	if err != nil {
		return err
	}
	a, err := o.Attribute(key)
	if err != nil {
		return err
	}
	records := v.store.Records()
	var record state.Record
	for records.Next() {
		if err := record.Decode(records.Record()); err != nil {
			return err
		}
		if state.MemberCount(a.Kind == state.KindTrait, record.Find(a.ID).Value) > 0 {
			if err := yield(string(records.UserID())); err != nil {
				return err
			}
		}
	}
	return records.Err()
}
