package inputs

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
	"gleapsync/internal/extsort"
	"gleapsync/internal/guard"
	"gleapsync/internal/human"
	"gleapsync/internal/runs"
	"gleapsync/internal/values"
	"gleapsync/state"
)

// Input is an export in a run. Whether it says what is or what happened, its kind knows.
type Input struct {
	Export
	kind
	Index       int
	Feeds       []*Attribute // in the order of its settings
	source      *engage.Source
	fingerprint string
	former      string   // the fingerprint as earlier versions made it
	columns     []string // its header, if it has patterns and was read
	guard.Dated
	openErr        error  // why its inputs cannot be found, or its columns not be told
	refused        error  // why all of it is held
	unreadable     bool   // the files are not there, or cannot be read
	Missing        string // why the parts are not all, "": they are
	parts, idParts int    // how many there are, 0 if it has none, and of its table of identifiers
	Result         engage.Result
	Rows           *extsort.Sorter // nil: not read
	delta          delta
	unfit          []string       // what its patterns take and cannot be an attribute
	passedOver     map[string]int // rows, by their class
	unused         []engage.Named // computations that it does not take

	late    bool // which attributes it has is known only once it is read
	ageless bool // it may be older than the one last applied
	pending bool // some of its files are not done
}

// Attribute is an attribute in a run.
type Attribute struct {
	engage.Attribute
	ID          uint32
	Input       *Input
	Asked       bool // by --only, or because all are
	Status      runs.Status
	Reason      string
	Retired     bool
	Applied     state.Applied
	found       bool               // by a wildcard or the discovery: the configuration does not name it
	isNew       bool               // found, and no run knew it before
	Computation *state.Computation // that it comes from, nil: it does not matter

	Decided values.Type // of its values, "" if there are none
	convert bool        // what the rows say is to be made values of it
	fitting byte        // the kinds that values of it have, as bits; 0: any
	Aged    string      // why it is to be held for its age once those are listed who would leave
}

// attributeRef is an attribute by its id. Those that are in no export any more have
// a key only, and those that are gone nothing.
type attributeRef struct {
	key       string
	attribute *Attribute
}

// Active reports whether the export's rows of the attribute count.
func (a *Attribute) Active() bool {
	return a.Asked && a.Status == runs.StatusApplied && a.Input.Rows != nil
}

func (a *Attribute) MemberCount(v attr.Value) int {
	if v.Kind() > attr.False { // whatever the attribute is
		return 1
	}
	return state.MemberCount(a.Kind == engage.Trait, v)
}

func (a *Attribute) Hold(reason string) {
	if a.Asked && a.Status != runs.StatusHeld {
		a.Status, a.Reason = runs.StatusHeld, reason
	}
}

// refuse holds all of the export.
func (e *Input) refuse(err error) {
	e.refused = err
	e.unreadable = errors.As(err, new(*engage.UnreadableError))
	for _, a := range e.Feeds {
		a.Hold(err.Error())
	}
}

// isChosen reports whether the run looks at the export, or may have to.
func (e *Input) isChosen(request Request) bool {
	if len(request.Only) == 0 {
		return true
	}
	return slices.ContainsFunc(e.Feeds, func(a *Attribute) bool { return a.Asked }) ||
		e.Discover || slices.ContainsFunc(request.Only, e.mayTake)
}

// hasUnknown reports whether the run may be about attributes that only reading can find.
func (e *Input) hasUnknown(request Request) bool {
	return e.late && e.source != nil && (len(e.Feeds) == 0 || slices.ContainsFunc(request.Only, func(key string) bool {
		return e.mayTake(key) && !slices.ContainsFunc(e.Feeds, func(a *Attribute) bool { return a.Key == key })
	}))
}

// MayHoldFieldsBack reports whether the export may have contact fields that this run
// does not see. Of one that was never read nobody knows.
func (e *Input) MayHoldFieldsBack() bool {
	if e.Rows != nil && e.Usable() {
		return false
	}
	return e.IsUnknown() || slices.ContainsFunc(e.Feeds, func(a *Attribute) bool {
		return !a.Retired && (a.Applied.At.IsZero() || a.Applied.HasFields)
	})
}

// IsUnknown reports whether nobody can tell which attributes the export has.
func (e *Input) IsUnknown() bool {
	return (len(e.Wildcards) > 0 || e.Discover) && (e.source == nil || e.refused != nil)
}

// tooOld returns why the export cannot be used for an attribute, "" if it can.
func (e *Input) tooOld(a *Attribute, now time.Time) string {
	applied := a.Applied
	if e.ageless {
		applied.AsOf = time.Time{}
	}
	return guard.CheckAge(e.AsOf, applied, e.MaxAge, now)
}

// Usable reports whether some of the export's attributes are not held.
func (e *Input) Usable() bool {
	return slices.ContainsFunc(e.Feeds, func(a *Attribute) bool { return a.Asked && a.Status == runs.StatusApplied })
}

// patternTakes returns an error if the export's wildcards take a name, or may do so, and make
// the key of it.
func (e *Input) patternTakes(ctx context.Context, key, name string) error {
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

// IsApplied reports whether the export's content is that which was applied last.
func (e *Input) IsApplied(a *Attribute) bool {
	last := a.Applied.Fingerprint
	return last != "" && (last == e.fingerprint || last == e.former)
}

// drop gives up what was read of the export.
func (e *Input) drop() {
	e.Rows.Close()
	e.Rows = nil
}

// print identifies the export's content and all settings that matter for what is made of it,
// "" if only reading it can tell.
func (e *Input) print(attributes []engage.Attribute, fields []Field) (fingerprint, former string) {
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
func (e *Input) countParts() {
	before, idsBefore := 0, 0
	for _, a := range e.Feeds {
		before, idsBefore = max(before, a.Applied.Parts), max(idsBefore, a.Applied.IDParts)
	}
	e.Missing = e.source.MissingParts(before, idsBefore)
	if e.Pick == engage.PickAll {
		e.parts, e.idParts = e.source.Parts()
	}
}

// isDue reports whether values of the attribute that were held back for their time may be
// sent now. A time that lies ahead by more than they are held back was a wrong clock's.
func (a *Attribute) isDue(now time.Time) bool {
	due := a.Applied.Due
	return !due.IsZero() && (!now.Before(due) || due.After(now.Add(a.Input.DampingOf(a.Attribute).MinInterval+runs.MaxAhead)))
}

// Unproven returns why absences from an export prove nothing, "" if they count.
func (e *Input) Unproven() string {
	if e.Result.Unknown > 0 && !e.IgnoreBroken {
		rows := "1 row of it cannot be read"
		if e.Result.Unknown > 1 {
			rows = human.Grouped(e.Result.Unknown) + " rows of it cannot be read"
		}
		return fmt.Sprintf("%s, so nobody knows who is missing (%s)", rows, e.Result.FirstUnknown)
	}
	return e.Missing
}
