package source

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Beside returns the files in the folder of p that end as its files do and that no place reads.
// They are those of a local path or glob: a folder is read as a whole, and buckets are not listed
// for it.
func (p Place) Beside(places []Place) []string {
	ending := filepath.Ext(p.Source)
	folder := filepath.Dir(p.path())
	if !p.isLocal() || ending == "" || strings.ContainsAny(ending, `*?[`) {
		return nil
	}
	entries, _ := os.ReadDir(folder) // what cannot be listed has none that anybody misses
	var names []string
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		isRead := func(other Place) bool { return other.reads(path) }
		if !entry.Type().IsRegular() || filepath.Ext(path) != ending || isMark(path) || slices.ContainsFunc(places, isRead) {
			continue
		}
		if rel, err := filepath.Rel(p.Dir, path); err == nil && filepath.IsLocal(rel) {
			path = rel
		}
		names = append(names, path)
	}
	return names
}

func (p Place) isLocal() bool {
	return len(p.Command) == 0 && p.Source != Stdin && !isRemote(p.Source)
}

// path returns the source, which is local, as it is without the folder in which it starts.
func (p Place) path() string {
	if filepath.IsAbs(p.Source) {
		return filepath.Clean(p.Source)
	}
	return filepath.Join(p.Dir, p.Source)
}

// reads reports whether a path is meant by the source, or within the folder that it names.
func (p Place) reads(path string) bool {
	if !p.isLocal() {
		return false
	}
	pattern := p.Source
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(EscapePattern(p.Dir), pattern)
	}
	matched, _ := filepath.Match(pattern, path)
	rel, err := filepath.Rel(p.path(), path)
	return matched || err == nil && filepath.IsLocal(rel)
}
