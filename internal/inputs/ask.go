package inputs

import (
	"context"
	"fmt"
	"slices"

	"gleapsync/engage"
	"gleapsync/internal/keys"
	"gleapsync/internal/known"
	"gleapsync/state"
)

// Ask returns, by key, what the exports say of a contact. It reads all of them, and changes nothing.
func (in *Inputs) Ask(ctx context.Context, store *state.Store, userID string) (map[string]Said, error) {
	if err := in.addExports(); err != nil {
		return nil, err
	}
	all := map[string]Said{}
	for _, e := range in.All {
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
func (e *Input) file() string {
	if e.source == nil {
		return ""
	}
	if files := e.source.Files(); len(files) == 1 && files[0].Name != e.Source {
		return files[0].Name
	}
	return ""
}

// Keys returns the keys of the attributes that exports feed, as far as the configuration and the
// state know them.
func Keys(exports []Export, known []state.Attribute) []string {
	var keys []string
	exports = keepKeys(exports, known)
	for _, e := range exports {
		for _, a := range slices.Concat(e.Attributes, remembered(&e, exports, known)) {
			keys = append(keys, a.Key)
		}
	}
	return keys
}

// AskKnown returns why the lists of known contacts leave a contact out that Gleap was never told
// of, "" if they do not.
func (in *Inputs) AskKnown(ctx context.Context, userID string) (string, error) {
	return known.Ask(ctx, in.listOptions(), userID)
}

// CheckRetired returns an error if the exports bring an attribute back that is to go.
func (in *Inputs) CheckRetired(ctx context.Context, key string) error {
	if err := in.addExports(); err != nil {
		return err
	}
	if a := in.byKey(key); a != nil {
		return fmt.Errorf("the configuration still feeds %s, so the next sync would bring it back: take the %s %q out first", key, a.Kind, a.Name)
	}
	known, err := in.Overview.Attribute(key)
	if err != nil {
		return err
	}
	for _, e := range in.All {
		names := []string{key, known.Name}
		if today, _ := keys.Of(known.Name); today != key && keys.Former(known.Name) == key {
			names = names[1:] // the key is another one's now
		}
		for _, name := range slices.Compact(names) {
			if err := e.bringsBack(ctx, key, name, engage.Kind(known.Kind)); err != nil {
				return err
			}
		}
	}
	return nil
}
