package sync

import (
	"cmp"
	"context"
	"slices"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Said is what an export says about an attribute of a contact.
type Said struct {
	Value  attr.Value `json:"value"`            // null if it says nothing
	Absent bool       `json:"absent,omitempty"` // the contact is not in the export
	Error  string     `json:"error,omitempty"`  // the export cannot be read
}

// AskExports returns, by key, what the exports say of a contact. It reads all of them, and changes
// nothing.
func AskExports(ctx context.Context, o Options, store *state.Store, userID string) (map[string]Said, error) {
	overview, err := store.Overview()
	if err != nil {
		return nil, err
	}
	q := question{userID, o, store, overview, map[string]Said{}}
	exports := keepKeys(o.Exports, overview.Attributes)
	for n, e := range exports {
		if e.Changes {
			if err := q.askChanges(ctx, n); err != nil {
				return nil, err
			}
			continue
		}
		e.Attributes = slices.Concat(e.Attributes, remembered(e, exports, overview.Attributes))
		know(&e.Export, overview.Attributes)
		if err := q.ask(ctx, e); err != nil {
			return nil, err
		}
	}
	return q.said, nil
}

// ReportKeys returns the keys that the exports have in reports, as far as the configuration
// and the state know them.
func ReportKeys(o Options, known []state.Attribute) []string {
	var keys []string
	exports := keepKeys(o.Exports, known)
	for _, e := range exports {
		for _, a := range slices.Concat(e.Attributes, remembered(e, exports, known)) {
			keys = append(keys, a.Key)
		}
	}
	for _, t := range o.Tracks {
		keys = append(keys, ledgerName(t.Source))
	}
	return keys
}

// FormNotes says whether contacts keep booleans in a form that is not the present one.
func FormNotes(o state.Overview, present gleap.BooleanAs) ([]string, error) {
	return formNotes(o, o.Epoch, present)
}

// question asks exports for one contact.
type question struct {
	userID   string
	o        Options
	store    *state.Store
	overview state.Overview
	said     map[string]Said // by key
}

// ask adds what one export says.
func (q *question) ask(ctx context.Context, e Export) error {
	found := false
	values := make([]attr.Value, len(e.Attributes))
	if e.Source == engage.Stdin { // what is there is for a sync, and can be read once
		for _, a := range e.Attributes {
			q.said[a.Key] = Said{Error: "the standard input is read by a sync only"}
		}
		return nil
	}
	result, err := q.read(ctx, e, func(userID []byte, cells []attr.Value) error {
		if string(userID) != q.userID {
			return nil
		}
		found = true
		for n, cell := range cells[:len(values)] {
			if cell.Kind() > attr.Null || values[n].Kind() == attr.None { // null says nothing
				values[n] = cell.Clone()
			}
		}
		return nil
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for n, a := range e.Attributes {
		if err == nil {
			values[n] = typed(a, result.Attributes[n].Fits, values[n])
		}
		said := Said{Value: values[n], Absent: !found || result.Sparse && values[n].Kind() == attr.None}
		if err != nil {
			said = Said{Error: err.Error()}
		} else if missing := result.Attributes[n].Err; missing != nil {
			said = Said{Error: missing.Error()}
		}
		q.said[a.Key] = said
	}
	return nil
}

// typed makes a value of its attribute's type of what a row says.
func typed(settings engage.Attribute, fits engage.Fits, v attr.Value) attr.Value {
	a := attribute{Attribute: settings}
	a.decideType(fits)
	return a.value(v)
}

func (q *question) read(ctx context.Context, e Export, yield func(userID []byte, cells []attr.Value) error) (engage.Result, error) {
	e.Sorting = sorting(q.o.Memory/4, &extsort.Memory{Room: roomFor(q.o.Memory)}, extsort.TempIn(q.o.TempDir))
	source, err := e.Open(ctx)
	if err != nil {
		return engage.Result{}, err
	}
	return source.Read(ctx, e.Attributes, yield)
}

// askChanges adds what a change export said, and what its new files say.
func (q *question) askChanges(ctx context.Context, n int) error {
	stored, err := q.store.Contact(q.userID)
	if err != nil {
		return err
	}
	said := stored.Said
	p := &plan{runner: &Runner{o: Options{Exports: q.o.Exports, Fields: q.o.Fields}}, overview: q.overview}
	p.settings = keepKeys(q.o.Exports, q.overview.Attributes)
	if p.files, err = q.store.Files(); err != nil {
		return err
	}
	if err := p.addExports(Request{}); err != nil {
		return err
	}
	e := p.exports[n]
	source, openErr := e.Open(ctx)
	if openErr == nil {
		e.source = source
	}
	err = cmp.Or(p.openChanges(e, Request{}), openErr)
	type change struct {
		engage.Change
		computation int
	}
	var all []change
	if err == nil {
		var result engage.ChangesResult
		result, err = e.source.ReadChanges(ctx, func(c *engage.Change) error {
			if string(c.UserID) == q.userID && c.Computation >= 0 {
				all = append(all, change{engage.Change{At: c.At, Message: c.Message, Value: c.Value.Clone()}, c.Computation})
			}
			return nil
		})
		e.computations = result.Computations
		p.identify(e, Request{})
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, c := range all {
		if a := e.changes[c.computation]; err == nil && a != nil {
			if v := a.value(c.Value); v.Kind() != attr.None {
				said.Add(a.id, c.At, c.Message, v)
			}
		}
	}
	for _, a := range e.attributes {
		s := Said{Absent: true}
		for _, n := range said.Attributes {
			if n.ID == a.id {
				s = Said{Value: n.Value}
			}
		}
		switch {
		case err != nil:
			s = Said{Error: err.Error()}
		case a.status == runs.StatusHeld:
			s = Said{Error: a.reason}
		}
		q.said[a.Key] = s
	}
	return nil
}
