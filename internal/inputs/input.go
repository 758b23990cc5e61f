package inputs

import (
	"context"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/state"
)

// kind is that of an export: what it takes to make contacts' values of it. Its methods
// are called in their order, those that read of several exports at a time.
type kind interface {
	// find finds what there is to read. What is wrong with the export name makes known; an error,
	// as that of read, is one of the run.
	find(ctx context.Context) error
	// name adds the attributes, as far as they can be told by now.
	name()
	// read sorts what the export says into its rows.
	read(ctx context.Context) error
	// judge decides what becomes of the attributes, all of which are known by then.
	judge()
	// add has a contact know what one row says.
	add(w *Wanted, row []byte) error
	// ask returns, by key, what the export says of one contact of whom the state has what changes
	// said. It is called alone, and reads the export for it.
	ask(ctx context.Context, userID string, changed state.Said) (map[string]Said, error)
	// filesAfter returns the files that are not to be read again, if all that they say counted.
	filesAfter(isDone bool) []state.DoneFile
	// bringsBack returns an error if the export may bring an attribute back that is to go.
	bringsBack(ctx context.Context, key, name string, kind engage.Kind) error
}

// Said is what an export says about an attribute of a contact.
type Said struct {
	Value  attr.Value `json:"value"`            // null if it says nothing
	Absent bool       `json:"absent,omitempty"` // the contact is not in the export
	Unread int        `json:"unread,omitempty"` // where it is absent: rows that cannot be read, of whom nobody knows
	Error  string     `json:"error,omitempty"`  // the export cannot be read
	Source string     `json:"source,omitempty"` // the export, as the configuration names it
	File   string     `json:"file,omitempty"`   // that is read for it, or has the row that says it, if it has another name
	Line   int        `json:"line,omitempty"`   // of the row that says it, 0: none, or nobody knows
}

// failed says of attributes that their export cannot be read.
func failed(attributes []engage.Attribute, err error) map[string]Said {
	all := map[string]Said{}
	for _, a := range attributes {
		all[a.Key] = Said{Error: err.Error()}
	}
	return all
}
