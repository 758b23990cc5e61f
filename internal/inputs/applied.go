package inputs

import (
	"slices"

	"gleapsync/engage"
	"gleapsync/internal/kept"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// What reports and the state have of an export once it was read.

// Report returns what a report says of the attribute's export. What the merge finds is added to it.
func (a *Attribute) Report() runs.ExportReport {
	result := a.Input.Result
	r := runs.ExportReport{
		Key: a.Key, Name: a.Name, Kind: a.Kind, Source: a.Input.Origin(),
		Status: a.Status, Reason: a.Reason, AsOf: a.Input.AsOf,
		Rows: result.Rows, WithoutUserID: result.WithoutUserID, Invalid: result.Invalid + a.Result().Invalid,
		Unreadable: a.Input.unreadable,
		New:        a.isNew,
		Type:       a.typeNow(),
		Problems:   result.Problems,
		PassedOver: a.Input.passedOver,
		Note:       kept.Note(&a.Input.Export.Export, a.Attribute),
	}
	return r
}

// Result returns what was found of the attribute in its export.
func (a *Attribute) Result() engage.AttributeResult {
	if i := slices.Index(a.Input.Feeds, a); i >= 0 && i < len(a.Input.Result.Attributes) {
		return a.Input.Result.Attributes[i]
	}
	return engage.AttributeResult{}
}

// AppliedNow returns what the state remembers of the attribute if all of the export is delivered.
// accepted says that the run lets those leave whose absence proves nothing.
func (a *Attribute) AppliedNow(accepted bool) state.Applied {
	e := a.Input
	return state.Applied{
		Fingerprint: e.fingerprint, AsOf: e.AsOf, HasFields: e.Result.HasFields, Rows: e.Result.Rows,
		Parts: e.parts, IDParts: e.idParts, EndsLines: a.endsLines(accepted), List: e.delta.after,
	}
}

// MostParts returns how many parts the export has or had when it was applied last, whatever
// is more: where not all that stands in them counted, fewer of them later must not.
func (a *Attribute) MostParts() (parts, ids int) {
	return max(a.Input.parts, a.Applied.Parts), max(a.Input.idParts, a.Applied.IDParts)
}

// endsLines reports whether a text that ends without a line break is one that may be cut off, in
// the next run. Who lets those leave who would be withheld takes this one for whole.
func (a *Attribute) endsLines(accepted bool) bool {
	switch r := a.Input.Result; {
	case r.Cut:
		return !accepted
	case r.Ends == engage.EndsUnseen:
		return a.Applied.EndsLines
	default:
		return r.Ends == engage.EndsLine
	}
}

// FilesAfter returns the files of the export that are not to be read again, if all that they say
// counted or not.
func (e *Input) FilesAfter(counted bool) []state.DoneFile {
	if e.kind == nil {
		return nil
	}
	return e.filesAfter(counted)
}

// IsHeld reports whether the export or one of its attributes is held.
func (e *Input) IsHeld() bool {
	return e.refused != nil || e.openErr != nil || slices.ContainsFunc(e.Feeds, func(a *Attribute) bool { return a.Status == runs.StatusHeld })
}

// IsRefused reports whether all of the export is held.
func (e *Input) IsRefused() bool { return e.refused != nil }
