package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"gleapsync/engage"
	"gleapsync/internal/inputs"
	"gleapsync/internal/keys"
	"gleapsync/internal/nearest"
	"gleapsync/internal/values"
)

// named reads which audiences and traits an export with several has, and what is said of
// them by name. What patterns and discover take has names too, of which nobody knows yet
// whether they come.
func (l *exportLoader) named(key string, k *namedKeys, e *inputs.Export) {
	e.Membership, e.Exclude = or(k.Membership, l.membership), l.patterns(key+".exclude", k.Exclude)
	for _, name := range slices.Sorted(maps.Keys(k.Keys)) {
		set(&e.Keys, name, l.text(key+".keys."+name, k.Keys[name]))
		if k.Keys[name] == "" {
			l.fail(key+".keys."+name, errors.New("the key is empty"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(k.Types)) {
		set(&e.Types, name, l.traitType(key+".types."+name, k.Types[name]))
	}
	others := l.traitType(key+".type", k.Type)
	for i, name := range k.Audiences {
		l.columns(key, fmt.Sprintf("%s.audiences[%d]", key, i), engage.Audience, name, "", e)
	}
	for i, name := range k.Traits {
		l.columns(key, fmt.Sprintf("%s.traits[%d]", key, i), engage.Trait, name, others, e)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Keys)) {
		at := key + ".keys." + name
		if l.knows(at, name, e) && attributeOf(e, name) == nil { // else the attribute took it
			l.take(at, fmt.Sprintf("%q", name), e.Keys[name], keys.Check(e.Keys[name]), instead(at, name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Types)) {
		l.isTrait(key+".types."+name, name, e, "types are for traits")
	}
	l.damping(key, k.dampingKeys, e, others)
}

// columns adds an audience or trait to an export, or those that a pattern takes.
func (l *exportLoader) columns(key, at string, kind engage.Kind, name string, typ values.Type, e *inputs.Export) {
	text, _ := expand(name) // what is wrong with it the attribute finds
	if engage.IsPattern(text) {
		e.Wildcards = append(e.Wildcards, engage.Wildcard{Kind: kind, Pattern: text, Type: typ})
		return
	}
	override, said := keys.Lookup(e.Keys, text)
	if said != "" {
		at = key + ".keys." + said
	}
	a := l.attribute(at, kind, name, override)
	a.Column, a.Type = a.Name, typ
	if own, said := keys.Lookup(e.Types, text); said != "" && kind == engage.Trait {
		a.Type = own
	}
	e.Attributes = append(e.Attributes, a)
}

// set adds to a map that need not be there yet.
func set[T any](m *map[string]T, name string, value T) {
	if *m == nil {
		*m = map[string]T{}
	}
	(*m)[name] = value
}

func sameKey(a, b string) bool {
	first, _ := keys.Of(a) // whether it can be an attribute's does not matter here
	second, _ := keys.Of(b)
	return first == second && first != ""
}

// attributeOf returns the attribute that an export names so, nil if there is none.
func attributeOf(e *inputs.Export, name string) *engage.Attribute {
	i := slices.IndexFunc(e.Attributes, func(a engage.Attribute) bool { return a.Name == name })
	if i < 0 {
		i = slices.IndexFunc(e.Attributes, func(a engage.Attribute) bool { return sameKey(a.Name, name) })
	}
	if i < 0 {
		return nil
	}
	return &e.Attributes[i]
}

// knows makes sure that an export has, or may come to have, an audience or trait of a name.
func (l *exportLoader) knows(at, name string, e *inputs.Export) bool {
	_, taken := e.Take(name)
	discovered := e.Discover && !engage.MatchesAny(e.Exclude, engage.Attribute{Name: name, Key: name})
	if attributeOf(e, name) != nil || taken || discovered {
		return true
	}
	var names []string
	for _, a := range e.Attributes {
		names = append(names, a.Name)
	}
	l.fail(at, errors.New("there is no audience or trait of that name here, and no pattern takes it"+nearest.Hint(name, names)))
	return false
}

// isTrait makes sure that an export has, or may come to have, a trait of a name.
func (l *exportLoader) isTrait(at, name string, e *inputs.Export, why string) bool {
	if !l.knows(at, name, e) {
		return false
	}
	a, known := e.Take(name)
	if named := attributeOf(e, name); named != nil {
		a, known = *named, true
	}
	if known && a.Kind == engage.Audience {
		l.fail(at, fmt.Errorf("%q is an audience: %s", name, why))
		return false
	}
	return true
}
