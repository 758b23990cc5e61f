package sync

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/internal/damping"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Next is what the next run would do with one contact.
type Next struct {
	Attributes map[string]NextValue `json:"attributes"`
	Fields     []string             `json:"fields,omitempty"` // Gleap's names of the contact fields that it would send
	// FieldsWait is set if an export that may have contact fields is held, so that one that Gleap
	// has does not change.
	FieldsWait bool   `json:"fields_wait,omitempty"`
	Unlisted   string `json:"unlisted,omitempty"` // why the contact is not created, "": nothing keeps it from being
	Error      string `json:"error,omitempty"`    // why nobody can tell
}

// NextValue is what the next run would do with an attribute of the contact.
type NextValue struct {
	Kind     engage.Kind `json:"kind,omitempty"`     // "": no export feeds it
	Send     *attr.Value `json:"send,omitempty"`     // nil: nothing
	Held     string      `json:"held,omitempty"`     // why the export is held
	Withheld string      `json:"withheld,omitempty"` // why nobody leaves through the export
	Damped   bool        `json:"damped,omitempty"`   // a change may be too small, or too early

	rule damping.Rule
}

// WaitsFor says why a change from what Gleap has to another value waits, though nothing else keeps
// it back; "" if it does not.
func (n NextValue) WaitsFor(has state.Known, want attr.Value) string {
	return n.rule.Why(has, want, now())
}

// AskNext makes the plan of the next run, and returns what it has for a contact. It changes
// nothing. The standard input is left alone, since a sync needs it.
func AskNext(ctx context.Context, o Options, store *state.Store, userID string) (Next, error) {
	o.Tracks = nil
	o.Exports = slices.DeleteFunc(slices.Clone(o.Exports), func(e inputs.Export) bool { return e.Source == engage.Stdin })
	r := New(o, store, nil, slog.New(slog.DiscardHandler), nil)
	p, err := r.plan(ctx, now(), inputs.Request{})
	defer p.close()
	next := Next{Attributes: map[string]NextValue{}}
	if ctx.Err() != nil {
		return next, context.Cause(ctx)
	}
	if err != nil {
		next.Error = err.Error()
		return next, nil
	}
	if next.Unlisted, err = r.askKnown(ctx, userID); err != nil {
		return next, err
	}
	next.FieldsWait = slices.ContainsFunc(p.exports, func(e *inputs.Input) bool {
		return e.MayHoldFieldsBack() && e.IsHeld()
	})
	for _, a := range p.attributes {
		n := NextValue{Kind: a.Kind, Withheld: a.absence, Damped: a.damping != damping.Rule{}, rule: a.damping}
		if a.Status == runs.StatusHeld {
			n.Held = a.Reason
		}
		next.Attributes[a.Key] = n
	}
	for entries := p.file.Read(p.turns); ; {
		e, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return next, nil
		}
		if err != nil {
			return next, err
		}
		if string(e.UserID) != userID {
			continue
		}
		for _, c := range e.Attributes {
			key := p.byID[c.ID].key
			n := next.Attributes[key]
			n.Send = &c.Value
			next.Attributes[key] = n
		}
		for _, f := range e.Fields {
			next.Fields = append(next.Fields, f.Field.String())
		}
		return next, nil
	}
}

// FieldNames returns Gleap's names of the contact fields that a record has.
func FieldNames(r *state.Record) []string {
	var names []string
	for _, f := range r.Fields {
		names = append(names, gleap.Field(f.Field).String())
	}
	return names
}

// askKnown returns why a contact would be left out, "" if it would not be.
func (r planner) askKnown(ctx context.Context, userID string) (string, error) {
	stored, err := r.store.Contact(userID)
	if err != nil || stored.Record.Acknowledged > 0 {
		return "", err
	}
	b, err := r.read(now(), inputs.Request{})
	if err != nil {
		return "", err
	}
	if _, has := b.FindUnanswered([]byte(userID)); has {
		return "", nil
	}
	return inputs.New(b).AskKnown(ctx, userID)
}
