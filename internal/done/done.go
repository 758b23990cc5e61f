// Package done keeps the list of the files of change and event exports that are done: they
// are not read again.
package done

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"gleapsync/engage"
	"gleapsync/state"
)

// Take takes the files out of a source that are done, as the list says of those which
// mine chooses. It returns all of them as the list is to have them under a name once the
// new ones are done too. The error holds the export.
func Take(before []state.DoneFile, source *engage.Source, name, settings string, mine func(state.DoneFile) bool) ([]state.DoneFile, error) {
	done := map[string]state.DoneFile{}
	for _, f := range before {
		if mine(f) {
			done[f.Name] = f
		}
	}
	var files []state.DoneFile
	var changed []string
	for _, f := range source.Files() {
		d, ok := done[f.Name]
		if ok && d.Version != f.Version {
			changed = append(changed, f.Name)
		}
		if !ok {
			d = state.DoneFile{Source: name, Name: f.Name, Version: f.Version, Settings: settings, At: time.Now().UTC().Truncate(time.Millisecond)}
		}
		d.Source = name
		files = append(files, d)
	}
	source.Skip(func(f engage.File) bool { _, ok := done[f.Name]; return ok })
	if len(changed) > 0 {
		return files, fmt.Errorf("%s was read before and has changed since: give what is new a name of its own", strings.Join(changed[:min(3, len(changed))], ", "))
	}
	return files, nil
}

// Same reports whether two lists have the same files, whenever these were done.
func Same(a, b []state.DoneFile) bool { return maps.Equal(byFile(a), byFile(b)) }

func byFile(files []state.DoneFile) map[[2]string]state.DoneFile {
	all := map[[2]string]state.DoneFile{}
	for _, f := range files {
		f.At = time.Time{}
		all[[2]string{f.Source, f.Name}] = f
	}
	return all
}
