// Package kept tells exports what the state remembers of their attributes, so that a run goes
// on with what contacts in Gleap have.
//
//   - Keys: where [keys.Of] makes another key of a name than an earlier version did, the
//     attribute keeps the former one ([Keys], [Tell]; [Note] says so in the report).
//   - Types: a type that was found from the values stays that of the first delivery ([Types]).
//   - Patterns: an attribute that a wildcard took before is known also while no export has it
//     ([Taken]).
package kept

import (
	"fmt"
	"slices"

	"gleapsync/engage"
	"gleapsync/internal/keys"
	"gleapsync/internal/values"
	"gleapsync/state"
)

// Keys returns the keys by which a state knows attributes, where [keys.Of] would give them
// others than it did when they were sent first: contacts in Gleap have the former ones.
func Keys(known []state.Attribute) map[engage.Named]string {
	all := map[engage.Named]string{}
	for _, k := range known {
		today, err := keys.Of(k.Name)
		taken := slices.ContainsFunc(known, func(other state.Attribute) bool { return other.Key == today && !other.Gone() })
		if err == nil && today != k.Key && k.Key == keys.Former(k.Name) && !taken && !k.Gone() && !k.Retired {
			all[engage.Named{Kind: engage.Kind(k.Kind), Name: k.Name}] = k.Key
		}
	}
	return all
}

// Tell tells an export the keys. Keys that were chosen stay chosen.
func Tell(e *engage.Export, keys map[engage.Named]string) {
	e.Kept, e.Attributes = keys, slices.Clone(e.Attributes)
	for i := range e.Attributes {
		a := &e.Attributes[i]
		if key, ok := keys[engage.Named{Kind: a.Kind, Name: a.Name}]; ok && !a.Chosen {
			a.Key = key
		}
	}
}

// Note returns what to say of an attribute whose key the state kept, "" if it did not.
func Note(e *engage.Export, a engage.Attribute) string {
	if key, ok := e.Kept[engage.Named{Kind: a.Kind, Name: a.Name}]; !ok || a.Chosen || key != a.Key {
		return ""
	}
	today, _ := keys.Of(a.Name)
	return fmt.Sprintf("%s keeps the key %s that Gleap's contacts have: set key = %q, or keys, to change it", a.Name, a.Key, today)
}

// Types tells an export the types of the attributes that the state knows.
func Types(e *engage.Export, known []state.Attribute) {
	e.Known = map[string]values.Type{}
	for _, k := range known {
		if !k.Gone() && k.Type != "" {
			e.Known[k.Key] = values.Type(k.Type)
		}
	}
	e.Attributes = slices.Clone(e.Attributes)
	for i := range e.Attributes {
		e.Attributes[i].Known = e.Known[e.Attributes[i].Key]
	}
}

// Taken returns the attributes of the state that the export's wildcards take and that nobody
// names.
func Taken(e *engage.Export, known []state.Attribute, isNamed func(key string) bool) []engage.Attribute {
	var all []engage.Attribute
	for _, k := range known {
		if a, ok := e.Take(k.Name); ok && !k.Gone() && !k.Retired && a.Key == k.Key && string(a.Kind) == k.Kind && !isNamed(k.Key) {
			all = append(all, a)
		}
	}
	return all
}

// Feeds reports whether an export feeds an attribute of the state, or may do so: what its
// wildcards and its discovery take only reading tells. It is told the keys.
func Feeds(e engage.Export, keys map[engage.Named]string, a state.Attribute) bool {
	Tell(&e, keys)
	if slices.ContainsFunc(e.Attributes, func(f engage.Attribute) bool { return f.Key == a.Key }) {
		return true
	}
	found, ok := e.Found(a.Name, engage.Kind(a.Kind))
	return ok && found.Key == a.Key && (a.Computation != nil || !e.Changes)
}
