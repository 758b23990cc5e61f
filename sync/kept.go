package sync

import (
	"fmt"
	"slices"

	"gleapsync/engage"
	"gleapsync/internal/guard"
	"gleapsync/state"
)

// keepKeys returns the exports with the keys by which the state knows their attributes,
// where [engage.Key] would give them others than it did when they were sent first: contacts
// in Gleap have the former ones. Keys that were chosen stay chosen.
func keepKeys(exports []Export, known []state.Attribute) []Export {
	kept := map[engage.Named]string{}
	for _, k := range known {
		today, err := engage.Key(k.Name)
		taken := slices.ContainsFunc(known, func(other state.Attribute) bool { return other.Key == today && !other.Gone() })
		if err == nil && today != k.Key && k.Key == engage.FormerKey(k.Name) && !taken && !k.Gone() && !k.Retired {
			kept[engage.Named{Kind: engage.Kind(k.Kind), Name: k.Name}] = k.Key
		}
	}
	if len(kept) == 0 {
		return exports
	}
	exports = slices.Clone(exports)
	for i := range exports {
		e := &exports[i]
		e.Kept, e.Attributes = kept, slices.Clone(e.Attributes)
		for j := range e.Attributes {
			a := &e.Attributes[j]
			if key, ok := kept[engage.Named{Kind: a.Kind, Name: a.Name}]; ok && !a.Chosen {
				a.Key = key
			}
		}
	}
	return exports
}

// keptKey returns what to say of an attribute whose key the state kept, "" if it did not.
func keptKey(e *engage.Export, a engage.Attribute) string {
	if key, ok := e.Kept[engage.Named{Kind: a.Kind, Name: a.Name}]; !ok || a.Chosen || key != a.Key {
		return ""
	}
	today, _ := engage.Key(a.Name)
	return fmt.Sprintf("%s keeps the key %s that Gleap's contacts have: set key = %q, or keys, to change it", a.Name, a.Key, today)
}

// named returns the run's request with the keys that the exports' attributes have: whoever
// asks for a key may mean one that the state has kept another for.
func (r Request) named(exports []Export) Request {
	renamed := map[string]string{}
	for _, e := range exports {
		for named, key := range e.Kept {
			if today, err := engage.Key(named.Name); err == nil {
				renamed[today] = key
			}
		}
	}
	for _, e := range exports { // who chose a key means it
		for _, a := range e.Attributes {
			delete(renamed, a.Key)
		}
		for _, key := range e.Keys {
			delete(renamed, key)
		}
	}
	if len(renamed) == 0 {
		return r
	}
	key := func(key string) string {
		if kept, ok := renamed[key]; ok {
			return kept
		}
		return key
	}
	keys := func(all []string) []string {
		all = slices.Clone(all)
		for i := range all {
			all[i] = key(all[i])
		}
		return all
	}
	r.Only, r.AcceptAbsence = keys(r.Only), keys(r.AcceptAbsence)
	limits := r.MaxExits
	r.MaxExits = map[string]guard.Limit{}
	for k, limit := range limits {
		r.MaxExits[key(k)] = limit
	}
	return r
}
