package sync

import (
	"context"
	"log/slog"
	"slices"

	"gleapsync/internal/events"
	"gleapsync/internal/extsort"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// AskExports returns, by key, what the exports say of a contact. It reads all of them, and changes
// nothing.
func AskExports(ctx context.Context, o Options, store *state.Store, userID string) (map[string]Said, error) {
	b, err := recall(o, store, now(), Request{})
	if err != nil {
		return nil, err
	}
	r := planner{o, store, extsort.TempIn(o.TempDir), slog.New(slog.DiscardHandler), runs.NewMeter(nil)}.reading(b)
	if err := r.addExports(); err != nil {
		return nil, err
	}
	all := map[string]Said{}
	for _, e := range r.exports {
		stored, err := store.Contact(userID)
		if err != nil {
			return nil, err
		}
		said, err := e.ask(ctx, userID, stored.Said)
		if err != nil {
			return nil, err
		}
		for key, said := range said {
			said.Source = e.Source
			switch {
			case said.File == "":
				said.File = e.file()
			case said.File == e.Source:
				said.File = ""
			}
			all[key] = said
		}
	}
	return all, nil
}

// file returns the name of the one file that the export is read from, "" if there are more, or
// none, or the source has its name.
func (e *export) file() string {
	if e.source == nil {
		return ""
	}
	if files := e.source.Files(); len(files) == 1 && files[0].Name != e.Source {
		return files[0].Name
	}
	return ""
}

// ReportKeys returns the keys that the exports have in reports, as far as the configuration
// and the state know them.
func ReportKeys(o Options, known []state.Attribute) []string {
	var keys []string
	exports := keepKeys(o.Exports, known)
	for _, e := range exports {
		for _, a := range slices.Concat(e.Attributes, remembered(&e, exports, known)) {
			keys = append(keys, a.Key)
		}
	}
	for _, t := range o.Tracks {
		keys = append(keys, events.Key(t.Source))
	}
	return keys
}
