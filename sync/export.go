package sync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/damping"
	"gleapsync/internal/extsort"
	"gleapsync/internal/guard"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// export is an export in a run. What it is an export of its input knows.
type export struct {
	Export
	input
	index       int
	attributes  []*attribute // in the order of its settings
	source      *engage.Source
	fingerprint string
	former      string   // the fingerprint as earlier versions made it
	columns     []string // its header, if it has patterns and was read
	guard.Dated
	openErr        error  // why its inputs cannot be found, or its columns not be told
	refused        error  // why all of it is held
	unreadable     bool   // the files are not there, or cannot be read
	missing        string // why the parts are not all, "": they are
	parts, idParts int    // how many there are, 0 if it has none, and of its table of identifiers
	result         engage.Result
	rows           *extsort.Sorter // nil: not read
	delta          delta
	torn           int            // users of whom its rows say different things
	unfit          []string       // what its patterns take and cannot be an attribute
	passedOver     map[string]int // rows, by their class
	unused         []engage.Named // computations that it does not take

	late    bool // which attributes it has is known only once it is read
	ageless bool // it may be older than the one last applied
	pending bool // some of its files are not done
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
	computation *state.Computation // that it comes from, nil: it does not matter

	typ     engage.Type // of its values, "" if there are none
	convert bool        // what the rows say is to be made values of it
	fitting byte        // the kinds that values of it have, as bits; 0: any
	aged    string      // why it is to be held for its age once those are listed who would leave
	absence string      // why its exits and clears are withheld, "": they go

	damping damping.Rule
	counts  bool // active, while a merge goes on
	merged  bool // a merge counted it, whatever became of it
	events  bool // and its changes are told as events
	waited  bool // its export did not change: who has no record was left out before
	tally
}

// attributeList has the attributes of a run.
type attributeList struct {
	attributes []*attribute   // in the order of the configuration
	byID       []attributeRef // all that the state knows or will know
}

// attributeRef is an attribute by its id. Those that are in no export any more have
// a key only, and those that are gone nothing.
type attributeRef struct {
	key       string
	attribute *attribute
}

func (l *attributeList) attribute(id uint32) *attribute {
	if int(id) >= len(l.byID) {
		return nil
	}
	return l.byID[id].attribute
}

// fed returns the attribute of a key, nil if no export has it so far.
func (l *attributeList) fed(key string) *attribute {
	i := slices.IndexFunc(l.attributes, func(a *attribute) bool { return a.Key == key })
	if i < 0 {
		return nil
	}
	return l.attributes[i]
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

// isSilent reports whether all members are in the export's rows, which say nothing of any of them.
func (a *attribute) isSilent() bool {
	return a.kept == a.before && a.exited+a.withheld == 0 && !a.export.result.Sparse
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

// hasUnknown reports whether the run may be about attributes that only reading can find.
func (e *export) hasUnknown(request Request) bool {
	return e.late && e.source != nil && (len(e.attributes) == 0 || slices.ContainsFunc(request.Only, func(key string) bool {
		return e.mayTake(key) && !slices.ContainsFunc(e.attributes, func(a *attribute) bool { return a.Key == key })
	}))
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

// tooOld returns why the export cannot be used for an attribute, "" if it can.
func (e *export) tooOld(a *attribute, now time.Time) string {
	applied := a.applied
	if e.ageless {
		applied.AsOf = time.Time{}
	}
	return guard.CheckAge(e.AsOf, applied, e.MaxAge, now)
}

// usable reports whether some of the export's attributes are not held.
func (e *export) usable() bool {
	return slices.ContainsFunc(e.attributes, func(a *attribute) bool { return a.chosen && a.status == runs.StatusApplied })
}

// patternTakes returns an error if the export's wildcards take a name, or may do so, and make
// the key of it.
func (e *export) patternTakes(ctx context.Context, key, name string) error {
	a, ok := e.Take(name)
	if !ok || a.Key != key {
		return nil
	}
	if e.NamesInRows() { // which names it has only reading can tell
		return fmt.Errorf("a pattern of %s takes %s, so the next sync may bring it back: name it in exclude first", e.Source, name)
	}
	if source, err := e.Open(ctx); err == nil {
		if columns, err := source.Header(ctx); err == nil && !slices.ContainsFunc(e.TakeColumns(columns), func(b engage.Attribute) bool { return a.Key == b.Key }) {
			return nil // its column is gone
		}
	}
	return fmt.Errorf("a pattern of %s takes %s, so the next sync would bring it back: name it in exclude first", e.Source, name)
}

// isApplied reports whether the export's content is that which was applied last.
func (e *export) isApplied(a *attribute) bool {
	last := a.applied.Fingerprint
	return last != "" && (last == e.fingerprint || last == e.former)
}

// drop gives up what was read of the export.
func (e *export) drop() {
	e.rows.Close()
	e.rows = nil
}

// print identifies the export's content and all settings that matter for what is made of it,
// "" if only reading it can tell.
func (e *export) print(attributes []engage.Attribute, fields []Field) (fingerprint, former string) {
	source, formerSource := e.source.Fingerprint(attributes)
	if source == "" || e.source.Once() && len(e.unfit) > 0 { // only reading finds again what cannot be an attribute
		return "", ""
	}
	of := func(source string, unfit []string) string {
		settings := fmt.Appendf(nil, "%s %v %v %v", source, e.KeepAbsent, e.ClearMissing, fields)
		if len(e.Damping) > 0 {
			settings = fmt.Appendf(settings, " %v", e.Damping)
		}
		if len(unfit) > 0 {
			settings = fmt.Appendf(settings, " %q", unfit)
		}
		h := sha256.Sum256(settings)
		return hex.EncodeToString(h[:16])
	}
	return of(source, e.unfit), of(formerSource, nil)
}

// countParts takes what can be told of the export's parts before it is read.
func (e *export) countParts() {
	before, idsBefore := 0, 0
	for _, a := range e.attributes {
		before, idsBefore = max(before, a.applied.Parts), max(idsBefore, a.applied.IDParts)
	}
	e.missing = e.source.MissingParts(before, idsBefore)
	if e.Pick == engage.PickAll {
		e.parts, e.idParts = e.source.Parts()
	}
}
