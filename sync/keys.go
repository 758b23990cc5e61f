package sync

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gleapsync/engage"
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
	r.MaxExits = map[string]Limit{}
	for k, limit := range limits {
		r.MaxExits[key(k)] = limit
	}
	return r
}

// addTaken adds what an export's wildcards or its discovery take. What cannot be an
// attribute is held. So are all that share a key: nobody can tell which of them Gleap's
// contacts are to have.
func (p *plan) addTaken(e *export, taken []engage.Attribute, request Request) {
	groups := map[string][]engage.Attribute{}
	var keys []string
	for _, a := range taken {
		same := groups[a.Key]
		if same == nil {
			keys = append(keys, a.Key)
		}
		if !slices.ContainsFunc(same, func(b engage.Attribute) bool { return a.Name == b.Name && a.Kind == b.Kind }) {
			groups[a.Key] = append(same, a)
		}
	}
	for _, key := range keys {
		p.addFound(e, groups[key], request)
	}
}

// addFound adds what was found of one key.
func (p *plan) addFound(e *export, found []engage.Attribute, request Request) {
	key := found[0].Key
	hold := func(reason func(a engage.Attribute) string) {
		for _, a := range found {
			e.unfit = append(e.unfit, a.Name)
		}
		if !request.chooses(key) {
			return
		}
		for _, a := range found {
			p.holdUnusable(e, key, a.Name, a.Kind, reason(a))
		}
	}
	all := found
	other := p.fed(key)
	if other != nil {
		all = append([]engage.Attribute{other.Attribute}, found...)
	}
	shared := func(a engage.Attribute) string { return shareKey(a, all) + ": " + tellApart(key, found) }
	err := p.checkKey(key)
	switch k, known := p.known[key]; {
	case err != nil:
		hold(func(engage.Attribute) string {
			return err.Error() + ": give it another key under keys, or name it in exclude"
		})
	case other != nil:
		// Two exports may have the same name: then the first one feeds it.
		if other.found && slices.ContainsFunc(found, func(a engage.Attribute) bool { return a.Name != other.Name || a.Kind != other.Kind }) {
			other.hold(shared(other.Attribute))
		}
		hold(shared)
	case len(found) > 1:
		if known { // its attribute is there, and stays as it is
			i := max(0, slices.IndexFunc(found, func(a engage.Attribute) bool { return a.Name == k.Name && string(a.Kind) == k.Kind }))
			if a, err := p.addAttribute(e, found[i], request); err == nil {
				a.found = true
				e.Attributes = append(e.Attributes, found[i])
				a.hold(shared(found[i]))
				found = slices.Delete(slices.Clone(found), i, i+1)
			}
		}
		hold(shared)
	default:
		a, err := p.addAttribute(e, found[0], request)
		if err != nil {
			hold(func(engage.Attribute) string { return err.Error() + " under keys, or name it in exclude" })
			return
		}
		a.found = true
		e.Attributes = append(e.Attributes, found[0])
	}
}

// shareKey says that an attribute has the key of others.
func shareKey(a engage.Attribute, all []engage.Attribute) string {
	var others []string
	for _, b := range all {
		if a.Name != b.Name || a.Kind != b.Kind {
			others = append(others, fmt.Sprintf("%s %q", b.Kind, b.Name))
		}
	}
	if len(others) == 0 {
		return fmt.Sprintf("another export has the %s %q too, with the key %s", a.Kind, a.Name, a.Key)
	}
	return fmt.Sprintf("%s %q has the key %s, and so has %s", a.Kind, a.Name, a.Key, strings.Join(others, " and "))
}

// tellApart says how those that share a key can be told apart. The key in exclude would take all
// of them out.
func tellApart(key string, found []engage.Attribute) string {
	i := slices.IndexFunc(found, func(a engage.Attribute) bool { return a.Name != key })
	if i < 0 {
		return "give it another key under keys, or name it in exclude"
	}
	return fmt.Sprintf("give one of them another key under keys, or name %q in exclude", found[i].Name)
}

// mismatched returns what the changes have instead of what an export asks for, "" if they
// have nothing of that name.
func (e *export) mismatched(kind engage.Kind, matches func(name string) bool) string {
	for _, name := range slices.Sorted(maps.Keys(e.mismatches)) {
		if !matches(name) {
			continue
		}
		class := e.mismatches[name]
		if engage.Kind(class) == engage.Audience || engage.Kind(class) == engage.Trait {
			return fmt.Sprintf("%q is no %s in the changes: they have it as %s", name, kind, class)
		}
		return fmt.Sprintf("%q was passed over: it is of the class %q, and only audiences, journey steps and traits are taken", name, class)
	}
	return ""
}
