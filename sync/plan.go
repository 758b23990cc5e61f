package sync

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/state"
)

// plan is all that a run would do.
type plan struct {
	runner     *Runner
	settings   []Export // of the exports, with the keys that the state kept
	exports    []*export
	attributes []*attribute               // in the order of the configuration
	byID       []attributeRef             // all that the state knows or will know
	known      map[string]state.Attribute // by key: what the state knows
	files      []state.File               // of change and event exports: those that are done
	unusable   []ExportReport             // of what a wildcard takes and what cannot be an attribute
	overview   state.Overview
	parked     []state.Parked
	unanswered []state.Unanswered // what Gleap may have, in the order of the user ids
	forgotten  *state.Forgotten

	full   bool      // asked for
	assume bool      // nothing is sent: parked contacts are taken as delivered too
	alone  bool      // the plan is about a retired attribute only
	resend bool      // values of the chosen attributes are sent again
	at     time.Time // when it was made
	epoch  uint64    // records of an earlier epoch are sent again as a whole

	memory    extsort.Memory // of the exports' rows
	passes    []*pass        // each with its part of the plan file
	pushed    bool           // calls were begun
	delivered bool           // every call of the contacts was acknowledged, or parked
	tracks    []*track
	typesOf   *propertyTypes // of events
	queued    extsort.Spool  // new events of the event exports, in the order of the user ids
	encoded   []byte         // the event that was written last
	findings

	turns      state.Turns  // what the run before left
	takesTurns bool         // and the next run goes on behind this one
	turnsAfter *state.Turns // as it was committed last, nil: not yet

	fieldsBefore [gleap.LastPageView + 1]bool // contact fields that were delivered before
	// All exports that have contact fields are looked at: a field may be changed, and
	// not only be added.
	fieldsComplete bool
}

// attributeRef is an attribute by its id. Those that are in no export any more have
// a key only, and those that are gone nothing.
type attributeRef struct {
	key       string
	attribute *attribute
}

func (p *plan) attribute(id uint32) *attribute {
	if int(id) >= len(p.byID) {
		return nil
	}
	return p.byID[id].attribute
}

// export is an export in a run.
type export struct {
	Export
	index       int
	attributes  []*attribute // in the order of its settings
	source      *engage.Source
	profiles    *profiles // nil: it is no export of that kind
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
	status      Status
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
	return a.chosen && a.status == StatusApplied && a.export.rows != nil
}

func (a *attribute) memberCount(v attr.Value) int {
	return state.MemberCount(a.Kind == engage.Trait, v)
}

func (a *attribute) hold(reason string) {
	if a.chosen && a.status != StatusHeld {
		a.status, a.reason = StatusHeld, reason
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

// usable reports whether some of the export's attributes are not held.
func (e *export) usable() bool {
	return slices.ContainsFunc(e.attributes, func(a *attribute) bool { return a.chosen && a.status == StatusApplied })
}

// newPlan reads the exports and works out what changed. The caller closes the plan,
// also after an error.
func (r *Runner) newPlan(ctx context.Context, request Request) (*plan, error) {
	p := &plan{runner: r, at: r.now()}
	p.memory.Room = roomFor(r.o.Memory)
	var err error
	if p.overview, err = r.store.Overview(); err != nil {
		return p, err
	}
	if p.overview.Parked > 0 {
		if p.parked, err = r.store.Parked(); err != nil {
			return p, err
		}
	}
	if p.unanswered, err = r.store.Unanswered(); err != nil {
		return p, err
	}
	if p.forgotten, err = r.store.Forgotten(); err != nil {
		return p, err
	}
	if p.files, err = r.store.Files(); err != nil {
		return p, err
	}
	p.full, p.assume, p.alone = request.Full, request.assume, request.retire != ""
	p.settings = keepKeys(r.o.Exports, p.overview.Attributes)
	request = request.named(p.settings)
	if p.takesTurns = !p.alone && len(request.Only) == 0; p.takesTurns {
		p.turns = p.overview.Turns
	}
	p.recallFields()
	if err := p.addExports(request); err != nil {
		return p, err
	}
	p.epoch = p.overview.Epoch
	switch {
	case p.alone:
		p.epoch = 0 // it is no part of a resync
	case request.Full && len(request.Only) > 0:
		p.resend = true
	case request.Full && r.store.Exists():
		p.epoch++
	}
	if err := p.open(ctx, request); err != nil {
		return p, err
	}
	p.skipUnchanged(p.at, request)
	if err := p.readProfiles(ctx, request); err != nil {
		return p, err
	}
	p.addRetired(request)
	if err := p.read(ctx, request); err != nil {
		return p, err
	}
	for _, e := range p.exports {
		if e.Changes {
			p.identify(e, request)
		}
	}
	if err := p.checkAsked(request); err != nil {
		return p, err
	}
	if len(request.Only) == 0 && !p.alone {
		p.openTracks(ctx)
		if err := p.readTracks(ctx); err != nil {
			return p, err
		}
	}
	err = p.decide(ctx, request)
	p.closeRows()
	return p, err
}

// addExports adds the exports with the attributes that the configuration names.
func (p *plan) addExports(request Request) error {
	p.known = map[string]state.Attribute{}
	for _, a := range p.overview.Attributes {
		for int(a.ID) >= len(p.byID) {
			p.byID = append(p.byID, attributeRef{})
		}
		if !a.Gone() {
			p.known[a.Key] = a
			p.byID[a.ID].key = a.Key
		}
	}
	settings := p.settings
	if p.alone {
		settings = nil
	}
	for i, settings := range settings {
		e := &export{Export: settings, index: i}
		know(&e.Export.Export, p.overview.Attributes)
		p.exports = append(p.exports, e)
		for _, settings := range e.Attributes {
			if other := p.fed(settings.Key); other != nil { // the state kept the key for one of them
				return fmt.Errorf(`%s: choose another one with key = "…"`, shareKey(settings, []engage.Attribute{settings, other.Attribute}))
			}
			if _, err := p.addAttribute(e, settings, request); err != nil {
				return err
			}
		}
	}
	return nil
}

// addAttribute gives an attribute its id: the one that the state has for its key, or the
// next.
func (p *plan) addAttribute(e *export, settings engage.Attribute, request Request) (*attribute, error) {
	a := &attribute{
		Attribute: settings, export: e, status: StatusApplied,
		chosen: request.chooses(settings.Key),
	}
	if k, ok := p.known[a.Key]; ok {
		if k.Kind != string(a.Kind) {
			return nil, fmt.Errorf("the key %s belonged to another %s before, and contacts in Gleap have its values: choose another key for the %s %q", a.Key, k.Kind, a.Kind, a.Name)
		}
		a.id, a.applied = k.ID, k.Applied
	} else {
		a.id = uint32(len(p.byID))
		p.byID = append(p.byID, attributeRef{})
	}
	p.byID[a.id] = attributeRef{a.Key, a}
	e.attributes = append(e.attributes, a)
	p.attributes = append(p.attributes, a)
	return a, nil
}

// fed returns the attribute of a key, nil if no export has it so far.
func (p *plan) fed(key string) *attribute {
	i := slices.IndexFunc(p.attributes, func(a *attribute) bool { return a.Key == key })
	if i < 0 {
		return nil
	}
	return p.attributes[i]
}

// holdUnusable reports what is held and is no attribute.
func (p *plan) holdUnusable(e *export, key, name string, kind engage.Kind, reason string) {
	p.unusable = append(p.unusable, ExportReport{
		Key: key, Name: name, Kind: kind, Source: e.Source, Status: StatusHeld, Reason: reason, Unreadable: e.unreadable,
	})
}

// remembered returns the attributes of the state that the export's wildcards take and no
// export names.
func remembered(e Export, exports []Export, known []state.Attribute) []engage.Attribute {
	var all []engage.Attribute
	for _, k := range known {
		named := slices.ContainsFunc(exports, func(e Export) bool {
			return slices.ContainsFunc(e.Attributes, func(a engage.Attribute) bool { return a.Key == k.Key })
		})
		if a, ok := e.Take(k.Name); ok && !named && !k.Gone() && !k.Retired && a.Key == k.Key && string(a.Kind) == k.Kind {
			all = append(all, a)
		}
	}
	return all
}

// holdPatterns reports the wildcards that take nothing: somebody expects something of
// them.
func (p *plan) holdPatterns(e *export) {
	for _, w := range e.Wildcards {
		if slices.ContainsFunc(e.attributes, func(a *attribute) bool { return w.Matches(a.Name) && (!e.Changes || a.Kind == w.Kind) }) ||
			slices.ContainsFunc(p.unusable, func(r ExportReport) bool { return r.Source == e.Source && w.Matches(r.Name) }) {
			continue
		}
		reason := "no column matches " + w.Pattern
		switch {
		case e.refused != nil:
			reason = e.refused.Error()
		case e.Changes: // what it is to match may come some day
			reason = e.mismatched(w.Kind, w.Matches)
		case e.ProfileIDs != nil:
			reason = "no name matches " + w.Pattern
		}
		if reason != "" {
			p.holdUnusable(e, w.Pattern, w.Pattern, w.Kind, reason)
		}
	}
}

// addRetired adds an export without rows for each attribute that is to go, so that its
// members leave it.
func (p *plan) addRetired(request Request) {
	for _, a := range p.orphans() {
		if a.Key != request.retire && (p.alone || p.assume || !a.Retired) {
			continue
		}
		retired := &attribute{
			Attribute: engage.Attribute{Kind: engage.Kind(a.Kind), Key: a.Key, Name: a.Name},
			id:        a.ID, applied: a.Applied, status: StatusApplied, retired: true,
			chosen: len(request.Only) == 0,
		}
		all := Limit{share: 1, isPct: true}
		retired.export = &export{
			Export: Export{ClearMissing: true, AllowEmpty: true, MaxExits: &all},
			index:  len(p.exports), attributes: []*attribute{retired}, rows: extsort.New(0, &p.memory, p.runner.temp),
		}
		p.byID[a.ID].attribute = retired
		p.exports = append(p.exports, retired.export)
		p.attributes = append(p.attributes, retired)
	}
}

// orphans returns the attributes of the state that no export feeds.
func (p *plan) orphans() []state.Attribute {
	var all []state.Attribute
	for _, a := range p.overview.Attributes {
		fed := slices.ContainsFunc(p.exports, func(e *export) bool {
			_, taken := e.Take(a.Name)
			return taken && e.isUnknown() && !a.Retired ||
				slices.ContainsFunc(e.Attributes, func(f engage.Attribute) bool { return f.Key == a.Key })
		})
		if !fed && !a.Gone() {
			all = append(all, a)
		}
	}
	return all
}

// resyncing reports whether some records may have to be sent again as a whole.
func (p *plan) resyncing() bool { return p.epoch > p.overview.Resynced }

// open finds the exports' inputs, and what their wildcards stand for.
func (p *plan) open(ctx context.Context, request Request) error {
	for _, e := range p.exports {
		if !e.isChosen(request) || e.ProfileIDs != nil {
			continue
		}
		e.Log = func(line string) { p.runner.log.Info("a command says", "command", e.Source, "line", line) }
		if e.source, e.openErr = e.Open(ctx); e.openErr == nil {
			e.dated = dateOf(e.source.AsOf(), p.runner.now())
		}
	}
	if err := p.readHeaders(ctx); err != nil {
		return err
	}
	for _, e := range p.exports {
		if !e.isChosen(request) {
			continue
		}
		if e.ProfileIDs != nil {
			p.openProfiles(ctx, e, request)
			continue
		}
		err := e.openErr
		switch {
		case e.Changes:
			err = cmp.Or(p.openChanges(e, request), err)
		case len(e.Wildcards) > 0:
			p.resolve(e, request)
		}
		if err != nil {
			e.refuse(err)
		}
		if e.read != nil {
			p.judge(e)
		}
		if len(request.Only) == 0 && !e.Changes {
			p.holdPatterns(e)
		}
	}
	return nil
}

// skipUnchanged decides which exports need not be read.
func (p *plan) skipUnchanged(now time.Time, request Request) {
	anyChanged := false
	for _, e := range p.exports {
		if e.source == nil {
			continue
		}
		if !e.Changes {
			e.fingerprint, e.former = p.fingerprint(e)
		}
		e.missing = e.missingParts()
		for _, a := range e.attributes {
			applied := a.applied
			if e.Changes { // an older file that comes late is no older export
				applied.AsOf = time.Time{}
			}
			if reason := checkAge(e.asOf, applied, e.MaxAge, now); reason != "" {
				a.hold(reason)
			} else if a.chosen && e.isApplied(a) && !p.resyncing() && !p.resend && a.status == StatusApplied && !e.pending && !p.isUnanswered(a.id) && !a.isDue(now) {
				a.status = StatusUnchanged
			}
		}
		anyChanged = anyChanged || e.usable() || e.hasUnknown(request)
	}
	if !anyChanged {
		return
	}
	// Something will be planned. A contact's fields come from all exports together, and
	// what was refused for a parked contact is known as a whole only, so these need the
	// unchanged exports too.
	for _, a := range p.attributes {
		if a.status == StatusUnchanged && (len(p.parked) > 0 || a.applied.HasFields) {
			a.status = StatusApplied
		}
	}
}

// isApplied reports whether the export's content is that which was applied last.
func (e *export) isApplied(a *attribute) bool {
	last := a.applied.Fingerprint
	return last != "" && (last == e.fingerprint || last == e.former)
}

// fingerprint identifies an export's content and all settings that matter for what
// is made of it, "" if only reading it can tell.
func (p *plan) fingerprint(e *export) (fingerprint, former string) {
	source, formerSource := e.sourceFingerprint()
	if source == "" {
		return "", ""
	}
	of := func(source string, unfit []string) string {
		settings := fmt.Appendf(nil, "%s %v %v %v", source, e.KeepAbsent, e.ClearMissing, p.runner.o.Fields)
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

// read reads and sorts all exports that are needed, some at a time.
func (p *plan) read(ctx context.Context, request Request) error {
	var needed []*export
	for _, e := range p.exports {
		if e.source != nil && e.profiles == nil && e.rows == nil && (e.usable() || e.Changes && e.refused == nil && e.hasUnknown(request)) {
			needed = append(needed, e)
		}
	}
	if len(needed) == 0 {
		return ctx.Err() // to find the exports takes time too
	}
	workers, budget := p.readers(len(needed))
	ahead := make(chan struct{})
	go func() { p.runner.store.ReadAhead(); close(ahead) }()
	defer func() { <-ahead }()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, e := range needed {
		e.rows = extsort.New(budget, &p.memory, p.runner.temp)
		group.Go(func() error {
			if e.Changes {
				return p.readChanges(ctx, e)
			}
			return p.readExport(ctx, e)
		})
	}
	return group.Wait()
}

// readers returns how many of so many exports are read at a time, and the memory for each.
func (p *plan) readers(exports int) (workers int, budget int64) {
	workers = min(runtime.GOMAXPROCS(0), exports)
	return workers, p.runner.o.Memory / int64(4*workers)
}

// readExport sorts one export's rows. What is wrong with the export holds it; an
// error is one of the run.
func (p *plan) readExport(ctx context.Context, e *export) error {
	err, failed := p.sortRows(ctx, e, nil)
	if err != nil {
		e.refuse(err)
	} else if failed == nil {
		p.judge(e)
	}
	return failed
}

// sortRows sorts one export's rows into e.rows. err is what is wrong with the export, which
// then has no rows; failed is an error of the run. For choose see
// [engage.Source.ReadChosen].
func (p *plan) sortRows(ctx context.Context, e *export, choose func(columns []string) engage.Export) (err, failed error) {
	var payload []byte
	read := 0
	e.result, err = e.source.ReadChosen(ctx, choose, func(userID []byte, cells []attr.Value) error {
		payload = appendCells(payload[:0], cells)
		if read++; read%(1<<14) == 0 {
			p.runner.progress.add(1 << 14)
		}
		failed = e.rows.Add(userID, payload)
		return failed
	})
	if failed != nil || ctx.Err() != nil {
		return nil, cmp.Or(failed, ctx.Err())
	}
	if err != nil {
		e.rows.Close()
		e.rows = nil
		return err, nil
	}
	return nil, e.rows.Finish()
}

// judge decides what becomes of the attributes of an export that was read.
func (p *plan) judge(e *export) {
	for i, a := range e.attributes {
		r := e.result.Attributes[i]
		if r.Err != nil {
			a.hold(r.Err.Error())
		} else if reason := checkInvalid(e.result.Invalid+r.Invalid, e.result.Rows, p.runner.o.Guard.MaxInvalid); reason != "" {
			a.hold(reason + a.misfit(r.Invalid))
		}
		a.decideType(r.Fits)
	}
}

// readersBuffer is the size of the buffers with which runs are read by so many passes, so
// that all of them together stay within a quarter of the memory.
func (p *plan) readersBuffer(passes int) int {
	runs := 1
	for _, e := range p.exports {
		if e.rows != nil {
			runs += e.rows.Spilled()
		}
	}
	for _, t := range p.tracks {
		if t.rows != nil {
			runs += t.rows.Spilled()
		}
	}
	return int(min(64<<10, max(32<<10, p.runner.o.Memory/4/int64(runs*passes))))
}

// whole reports whether the plan looked at all exports, so that what it wants of a
// contact is all that is wanted.
func (p *plan) whole() bool {
	return !p.alone && !slices.ContainsFunc(p.attributes, func(a *attribute) bool { return !a.active() }) &&
		!slices.ContainsFunc(p.exports, (*export).isUnknown)
}

// findUnanswered returns where a contact stands among the unanswered, or would, and whether
// it does.
func (p *plan) findUnanswered(userID []byte) (int, bool) {
	return slices.BinarySearchFunc(p.unanswered, userID, func(u state.Unanswered, id []byte) int { return bytes.Compare(u.UserID, id) })
}

// isUnanswered reports whether Gleap may have another value of an attribute than the record,
// of any contact.
func (p *plan) isUnanswered(id uint32) bool {
	return slices.ContainsFunc(p.unanswered, func(u state.Unanswered) bool {
		return slices.ContainsFunc(u.Attributes, func(c state.Change) bool { return c.ID == id })
	})
}

// isParked reports whether a contact was parked before the run.
func (p *plan) isParked(userID string) bool {
	n := searchParked(p.parked, userID)
	return n < len(p.parked) && p.parked[n].UserID == userID
}

// close removes the plan's temporary files.
func (p *plan) close() {
	p.closeRows()
	p.closePasses()
	p.queued.Close()
}

func (p *plan) closePasses() {
	for _, pass := range p.passes {
		for i := range pass.segments {
			pass.segments[i].Close()
		}
		pass.said.Close()
	}
	p.passes = nil
}

// closeRows gives the memory and the temporary files of the exports' rows back.
func (p *plan) closeRows() {
	for _, e := range p.exports {
		if e.rows != nil {
			e.rows.Close()
		}
	}
	for _, t := range p.tracks {
		if t.rows != nil {
			t.rows.Close()
		}
	}
	p.memory.Clear()
}

// stateAttributes returns the attributes as the state is to know them.
func (p *plan) stateAttributes() []state.Attribute {
	var all []state.Attribute
	for _, a := range p.attributes {
		s := state.Attribute{ID: a.id, Key: a.Key, Kind: string(a.Kind), Name: a.Name, Retired: a.retired}
		if a.active() {
			s.Type = string(a.typ)
			s.Applied.AsOf, s.Computation = a.export.asOf, a.computation
		}
		all = append(all, s)
	}
	return all
}

// applied returns, for the attributes of this run, what the state is to remember
// once everything was delivered. Of a run that was cut short these are the attributes of
// which nothing is left over: else a new one would not count as delivered as long as others
// change more than fits. An export of which something is left for another run has no
// fingerprint: it has to be read again.
func (p *plan) applied(now time.Time, everything bool) map[uint32]state.Applied {
	all := map[uint32]state.Applied{}
	for _, a := range p.attributes {
		again := p.postponed || a.export.result.HasFields && p.fieldsPostponed || a.withheld > 0
		delivered := everything || a.left == 0 && !(a.export.result.HasFields && p.hasFieldsLeft())
		if a.active() && !delivered && a.withheld > 0 { // this run counts too
			before := a.applied
			before.Fingerprint, before.AsOf = "", a.export.asOf
			before.WithheldRuns++
			all[a.id] = before
		}
		if a.active() && !a.retired && delivered {
			fingerprint := a.export.fingerprint
			if again {
				fingerprint = ""
			}
			applied := state.Applied{
				Fingerprint: fingerprint, AsOf: a.export.asOf, At: now,
				Members: a.members + a.withheld, HasFields: a.export.result.HasFields, Due: a.due,
			}
			applied.Parts, applied.IDParts = a.export.parts()
			if a.withheld > 0 || a.export.missing != "" && a.absence != "" { // what is missing may come yet
				applied.Parts, applied.IDParts = a.applied.Parts, a.applied.IDParts
			}
			if a.withheld > 0 {
				applied.WithheldRuns = a.applied.WithheldRuns + 1
			}
			all[a.id] = applied
		}
	}
	return all
}

// told notes that contacts were told values, or will not be since Gleap refused.
func (p *plan) told(changes []state.Change) {
	for _, c := range changes {
		if a := p.attribute(c.ID); a != nil {
			a.left--
		}
	}
}

// roomFor returns how much of so many bytes may be reserved: a quarter is for exports while
// they are read, the rest for what is kept of them afterwards.
func roomFor(bytes int64) int64 { return bytes - bytes/4 }
