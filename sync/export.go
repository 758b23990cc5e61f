package sync

import (
	"errors"
	"slices"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// export is an export in a run.
type export struct {
	Export
	index       int
	attributes  []*attribute // in the order of its settings
	source      *engage.Source
	fingerprint string
	former      string // the fingerprint as earlier versions made it
	dated
	openErr    error  // why its inputs cannot be found, or its columns not be told
	refused    error  // why all of it is held
	unreadable bool   // the files are not there, or cannot be read
	missing    string // why the parts are not all, "": they are
	result     engage.Result
	rows       *extsort.Sorter // nil: not read
	cells      []*attribute    // that the cells of rows are of, nil: of none; if this is nil they are the attributes

	// Of a table with patterns:
	columns []string           // its header
	read    []engage.Attribute // what was read of it before all headers were known, nil: nothing
	unfit   []string           // what the patterns take and cannot be an attribute

	// Of a change export:
	files        []state.File         // all that are there
	pending      bool                 // some of them are not done
	computations []engage.Computation // that were read
	changes      []*attribute         // for each of them; nil: it does not count
	passedOver   map[string]int       // rows, by their class
	mismatches   map[string]string    // see [engage.ChangesResult]
}

// attribute is an attribute in a run.
type attribute struct {
	engage.Attribute
	id          uint32
	export      *export
	chosen      bool // by --only, or because all are
	status      runs.Status
	reason      string
	retired     bool
	applied     state.Applied
	found       bool               // by a wildcard or the discovery: the configuration does not name it
	isNew       bool               // found, and no run knew it before
	computation *state.Computation // of a change export's

	typ     engage.Type // of its values, "" if there are none
	convert bool        // what the rows say is to be made values of it
	fitting byte        // the kinds that values of it have, as bits; 0: any
	fits    engage.Fits // of a change export's values
	absence string      // why its exits and clears are withheld, "": they go

	damping Damping
	counts  bool // active, while a merge goes on
	events  bool // and its changes are told as events
	tally
}

// active reports whether the export's rows of the attribute count.
func (a *attribute) active() bool {
	return a.chosen && a.status == runs.StatusApplied && a.export.rows != nil
}

func (a *attribute) memberCount(v attr.Value) int {
	return state.MemberCount(a.Kind == engage.Trait, v)
}

func (a *attribute) hold(reason string) {
	if a.chosen && a.status != runs.StatusHeld {
		a.status, a.reason = runs.StatusHeld, reason
	}
}

// refuse holds all of the export.
func (e *export) refuse(err error) {
	e.refused = err
	e.unreadable = errors.As(err, new(*engage.UnreadableError))
	for _, a := range e.attributes {
		a.hold(err.Error())
	}
}

// isChosen reports whether the run looks at the export, or may have to.
func (e *export) isChosen(request Request) bool {
	if len(request.Only) == 0 {
		return true
	}
	return slices.ContainsFunc(e.attributes, func(a *attribute) bool { return a.chosen }) ||
		e.Discover || slices.ContainsFunc(request.Only, e.mayTake)
}

// mayHoldFieldsBack reports whether the export may have contact fields that this run
// does not see. Of one that was never read nobody knows.
func (e *export) mayHoldFieldsBack() bool {
	if e.rows != nil && e.usable() {
		return false
	}
	return e.isUnknown() || slices.ContainsFunc(e.attributes, func(a *attribute) bool {
		return !a.retired && (a.applied.At.IsZero() || a.applied.HasFields)
	})
}

// isUnknown reports whether nobody can tell which attributes the export has.
func (e *export) isUnknown() bool {
	return (len(e.Wildcards) > 0 || e.Discover) && (e.source == nil || e.refused != nil)
}

// hasUnknown reports whether the run may be about attributes that only reading can find.
func (e *export) hasUnknown(request Request) bool {
	return e.Changes && (len(e.attributes) == 0 || slices.ContainsFunc(request.Only, func(key string) bool {
		return e.mayTake(key) && !slices.ContainsFunc(e.attributes, func(a *attribute) bool { return a.Key == key })
	}))
}

// usable reports whether some of the export's attributes are not held.
func (e *export) usable() bool {
	return slices.ContainsFunc(e.attributes, func(a *attribute) bool { return a.chosen && a.status == runs.StatusApplied })
}

// isApplied reports whether the export's content is that which was applied last.
func (e *export) isApplied(a *attribute) bool {
	last := a.applied.Fingerprint
	return last != "" && (last == e.fingerprint || last == e.former)
}
