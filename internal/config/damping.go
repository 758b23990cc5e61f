package config

import (
	"fmt"
	"maps"
	"slices"

	"gleapsync/internal/damping"
	"gleapsync/internal/inputs"
	"gleapsync/internal/keys"
	"gleapsync/internal/values"
)

// damping reads which changes of an export's traits are not worth a call of their own: for
// all of them, or by name. typ is the type of those of which nothing else is said.
func (l *exportLoader) damping(key string, k dampingKeys, e *inputs.Export, typ values.Type) {
	intervals := byName(l, key+".min_interval", k.MinInterval, e, l.interval)
	tolerances := byName(l, key+".tolerance", k.Tolerance, e, l.tolerance)
	for _, name := range slices.Sorted(maps.Keys(tolerances)) {
		at, of := key+".tolerance", typ
		if name != "" {
			at += "." + name
			of = typeOf(e, name, typ)
		} else if slices.ContainsFunc(slices.Collect(maps.Values(e.Types)), mayBeNumber) {
			continue
		}
		if !mayBeNumber(of) {
			l.fail(at, fmt.Errorf("it is for numbers, and the type is %s", of))
		}
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(intervals)), slices.Collect(maps.Keys(tolerances))) {
		set(&e.Damping, name, damping.Rule{MinInterval: of(intervals, name), Tolerance: of(tolerances, name)})
	}
}

// of returns what is said of a name, or else of all.
func of[T any](said map[string]T, name string) T {
	if value, ok := said[name]; ok {
		return value
	}
	return said[""]
}

func mayBeNumber(t values.Type) bool { return t == values.Auto || t == values.Number }

// typeOf returns the type of the trait of a name, as far as the configuration says it.
func typeOf(e *inputs.Export, name string, otherwise values.Type) values.Type {
	if a := attributeOf(e, name); a != nil {
		return a.Type
	}
	if own, said := keys.Lookup(e.Types, name); said != "" {
		return own
	}
	return otherwise
}

// byName reads a value for all traits of an export, which has the name "", or a table of
// values by name. A name is that of the attribute, if there is one.
func byName[T any](l *exportLoader, key string, value any, e *inputs.Export, read func(key string, value any) T) map[string]T {
	var all map[string]T
	table, isTable := value.(map[string]any)
	if !isTable && value != nil {
		set(&all, "", read(key, value))
	}
	for _, name := range slices.Sorted(maps.Keys(table)) {
		at := key + "." + name
		if !l.isTrait(at, name, e, "what happens to its members is never held back") {
			continue
		}
		value := read(at, table[name])
		if a := attributeOf(e, name); a != nil {
			name = a.Name
		}
		set(&all, name, value)
	}
	return all
}
