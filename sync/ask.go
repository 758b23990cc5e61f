package sync

import (
	"context"
	"log/slog"

	"gleapsync/internal/events"
	"gleapsync/internal/inputs"
	"gleapsync/state"
)

// AskExports returns, by key, what the exports say of a contact. It reads all of them, and changes
// nothing.
func AskExports(ctx context.Context, o Options, store *state.Store, userID string) (map[string]inputs.Said, error) {
	b, err := New(o, store, nil, slog.New(slog.DiscardHandler), nil).read(now(), inputs.Request{})
	if err != nil {
		return nil, err
	}
	return inputs.New(b).Ask(ctx, store, userID)
}

// ReportKeys returns the keys that the exports have in reports, as far as the configuration
// and the state know them.
func ReportKeys(o Options, known []state.Attribute) []string {
	keys := inputs.Keys(o.Exports, known)
	for _, t := range o.Tracks {
		keys = append(keys, events.Key(t.Source))
	}
	return keys
}
