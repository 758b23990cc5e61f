package sync

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// The ledger has the files of change and event exports that are done: they are not read
// again.

// newFiles takes the files out of a source that are done, as the ledger says of those which
// mine chooses. It returns all of them as the ledger is to have them under a name once the
// new ones are done too. The error holds the export.
func (p *plan) newFiles(source *engage.Source, name, settings string, mine func(state.File) bool) ([]state.File, error) {
	done := map[string]state.File{}
	for _, f := range p.files {
		if mine(f) {
			done[f.Name] = f
		}
	}
	var files []state.File
	var changed []string
	for _, f := range source.Files() {
		d, ok := done[f.Name]
		if ok && d.Version != f.Version {
			changed = append(changed, f.Name)
		}
		if !ok {
			d = state.File{Source: name, Name: f.Name, Version: f.Version, Settings: settings, At: now()}
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

// believe returns err, or why what was read of files cannot be used.
func (p *plan) believe(result engage.Result, err error) error {
	if reason := checkInvalid(result.Invalid, result.Rows, p.runner.o.Guard.MaxInvalid); err == nil && reason != "" {
		return errors.New(reason)
	}
	return err
}

// ledgerName is the source under which the state knows the export's files, since those of
// [[changes]] may be the same, and the key of the export in reports, since no attribute
// has such a one.
func ledgerName(source string) string { return "track " + source }

func isTrackFile(f state.File) bool { return strings.HasPrefix(f.Source, ledgerName("")) }

// ledgerAfter returns the ledger after a run that delivered everything, nil if it is that
// from before. Files are done if all that they say is acknowledged, or parked.
func (p *plan) ledgerAfter() []state.File {
	if p.alone || len(p.files) == 0 && !slices.ContainsFunc(p.exports, func(e *export) bool { return e.Changes }) {
		return nil
	}
	after := []state.File{}
	for _, f := range p.files {
		if isTrackFile(f) {
			after = append(after, f) // they are done whatever became of the run
		}
	}
	for _, e := range p.exports {
		switch {
		case !e.Changes:
		case p.isDone(e):
			after = append(after, e.files...)
		default:
			for _, f := range p.files {
				if f.Source == e.Source {
					after = append(after, f)
				}
			}
		}
	}
	if maps.Equal(byFile(p.files), byFile(after)) {
		return nil
	}
	return after
}

func byFile(files []state.File) map[[2]string]state.File {
	all := map[[2]string]state.File{}
	for _, f := range files {
		f.At = time.Time{}
		all[[2]string{f.Source, f.Name}] = f
	}
	return all
}

// isDone reports whether all that an export's files say counted.
func (p *plan) isDone(e *export) bool {
	return e.rows != nil && e.refused == nil && !(e.result.HasFields && p.fieldsPostponed) &&
		!slices.ContainsFunc(e.attributes, func(a *attribute) bool { return !a.active() || a.withheld > 0 }) &&
		!slices.ContainsFunc(p.unusable, func(r runs.ExportReport) bool { return r.Source == e.Source && r.Status == runs.StatusHeld })
}

// hasNewTracks reports whether event exports have files that were not read before, or lack
// some that were.
func (p *plan) hasNewTracks() bool {
	return len(p.tracks) > 0 && !maps.Equal(byFile(p.files), byFile(p.ledgerWithTracks()))
}

// keepUnseen is how long the ledger has files of event exports that are not there any more:
// a folder may come back, and to read its files again would repeat their events.
const keepUnseen = 90 * 24 * time.Hour

// ledgerWithTracks returns the ledger once the event exports are stored.
func (p *plan) ledgerWithTracks() []state.File {
	names := map[string]bool{}
	after := []state.File{}
	present := now()
	for _, t := range p.tracks {
		if t.refused != nil {
			continue
		}
		for _, f := range t.files {
			if present.Sub(f.At) > 24*time.Hour {
				f.At = present
			}
			names[f.Name] = true
			after = append(after, f)
		}
	}
	for _, f := range p.files {
		if !isTrackFile(f) || !names[f.Name] && present.Sub(f.At) < keepUnseen {
			after = append(after, f)
		}
	}
	return after
}
