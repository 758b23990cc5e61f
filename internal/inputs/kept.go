package inputs

import (
	"slices"

	"gleapsync/internal/guard"
	"gleapsync/internal/kept"
	"gleapsync/internal/keys"
	"gleapsync/state"
)

// keepKeys returns the exports with the keys by which the state knows their attributes,
// where [keys.Of] would give them others than it did when they were sent first: contacts
// in Gleap have the former ones. Keys that were chosen stay chosen.
func keepKeys(exports []Export, known []state.Attribute) []Export {
	keys := kept.Keys(known)
	if len(keys) == 0 {
		return exports
	}
	exports = slices.Clone(exports)
	for i := range exports {
		kept.Tell(&exports[i].Export, keys)
	}
	return exports
}

// named returns the run's request with the keys that the exports' attributes have: whoever
// asks for a key may mean one that the state has kept another for.
func (r Request) named(exports []Export) Request {
	renamed := map[string]string{}
	for _, e := range exports {
		for named, key := range e.Kept {
			if today, err := keys.Of(named.Name); err == nil {
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
