package engage

import (
	"maps"
	"slices"
)

// OfName returns what settings such as [Export.Keys] say of the audience or trait of a name:
// what they say of the name itself, or else of one that makes the same key. as is the name
// that was found, "" if none was.
func OfName[T any](said map[string]T, name string) (value T, as string) {
	if value, ok := said[name]; ok {
		return value, name
	}
	key, _ := Key(name) // whether it can be an attribute's does not matter here
	for _, other := range slices.Sorted(maps.Keys(said)) {
		if k, _ := Key(other); k == key && key != "" {
			return said[other], other
		}
	}
	return value, ""
}
