package sync

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/extsort"
	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
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
	unusable   []runs.ExportReport        // of what a wildcard takes and what cannot be an attribute
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
	passes    []*pass
	file      planfile.File // the plan's entries
	pushed    bool          // calls were begun
	delivered bool          // every call of the contacts was acknowledged, or parked
	tracks    []*track
	typesOf   *propertyTypes // of events
	queued    extsort.Spool  // new events of the event exports, in the order of the user ids
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
	p.unanswered = p.overview.Unanswered
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
		Attribute: settings, export: e, status: runs.StatusApplied,
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
	p.unusable = append(p.unusable, runs.ExportReport{
		Key: key, Name: name, Kind: kind, Source: e.Source, Status: runs.StatusHeld, Reason: reason, Unreadable: e.unreadable,
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
			slices.ContainsFunc(p.unusable, func(r runs.ExportReport) bool { return r.Source == e.Source && w.Matches(r.Name) }) {
			continue
		}
		reason := "no column matches " + w.Pattern
		switch {
		case e.refused != nil:
			reason = e.refused.Error()
		case e.Changes: // what it is to match may come some day
			reason = e.mismatched(w.Kind, w.Matches)
		case e.NamesInRows():
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
			id:        a.ID, applied: a.Applied, status: runs.StatusApplied, retired: true,
			chosen: len(request.Only) == 0,
		}
		all := Limit{share: 1, isPct: true}
		retired.export = &export{
			Export: Export{Export: engage.Export{AllowEmpty: true}, ClearMissing: true, MaxExits: &all},
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
		pass.said.Close()
	}
	p.passes = nil
	p.file.Close()
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
