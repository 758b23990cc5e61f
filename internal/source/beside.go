package source

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Around returns among which files Beside looks, as a pattern: those in the folder of p that end as its
// files do. It is "" where it does not look: a folder is read as a whole, and buckets are not listed for
// it.
func (p Place) Around() string {
	ending := filepath.Ext(p.Source)
	if !p.isLocal() || ending == "" || strings.ContainsAny(ending, `*?[`) {
		return ""
	}
	return filepath.Join(filepath.Dir(p.path()), "*"+ending)
}

// Beside returns the files around those of p that no place reads.
func (p Place) Beside(places []Place) []string {
	around := p.Around()
	if around == "" {
		return nil
	}
	folder, ending := filepath.Dir(around), filepath.Ext(around)
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
