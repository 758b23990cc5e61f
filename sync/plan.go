package sync

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/state"
)

// plan is all that a run would do.
type plan struct {
	runner     *Runner
	exports    []*export
	attributes []*attribute   // in the order of the configuration
	byID       []attributeRef // all that the state knows or will know
	overview   state.Overview
	parked     []state.Parked

	full   bool   // asked for
	resend bool   // values of the chosen attributes are sent again
	epoch  uint64 // records of an earlier epoch are sent again as a whole

	segments [classes]spool // the plan file: entries, each behind its size
	contacts ContactCounts
	calls    int
	retried  int // parked contacts of whom something else is wanted now
	leftOut  [gleap.LastPageView + 1]int
}

// attributeRef is an attribute by its id. Those that are in no export any more have
// a key only.
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
	fingerprint string
	asOf        time.Time
	unreadable  bool // the files are not there, or cannot be read
	result      engage.Result
	rows        *sorter // nil: not read
}

// attribute is an attribute in a run.
type attribute struct {
	engage.Attribute
	id      uint32
	export  *export
	chosen  bool // by --only, or because all are
	status  Status
	reason  string
	applied state.Applied

	before, members, entered, exited, changed int
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
	e.unreadable = errors.As(err, new(*engage.UnreadableError))
	for _, a := range e.attributes {
		a.hold(err.Error())
	}
}

// chosen reports whether the run looks at the export.
func (e *export) chosen() bool {
	return slices.ContainsFunc(e.attributes, func(a *attribute) bool { return a.chosen })
}

// usable reports whether some of the export's attributes are not held.
func (e *export) usable() bool {
	return slices.ContainsFunc(e.attributes, func(a *attribute) bool { return a.chosen && a.status == StatusApplied })
}

// newPlan reads the exports and works out what changed. The caller closes the plan,
// also after an error.
func (r *Runner) newPlan(ctx context.Context, request Request) (*plan, error) {
	p := &plan{runner: r}
	for i := range p.segments {
		p.segments[i].dir = r.o.TempDir
	}
	var err error
	if p.overview, err = r.store.Overview(); err != nil {
		return p, err
	}
	if p.overview.Parked > 0 {
		if p.parked, err = r.store.Parked(); err != nil {
			return p, err
		}
	}
	p.addExports(request)
	p.epoch, p.full = p.overview.Epoch, request.Full
	switch {
	case request.Full && len(request.Only) > 0:
		p.resend = true
	case request.Full && r.store.Exists():
		p.epoch++
	}
	p.open()
	if err := p.read(ctx); err != nil {
		return p, err
	}
	return p, p.decide(ctx, request)
}

// addExports gives every attribute its id: the one that the state has for its key, or
// the next.
func (p *plan) addExports(request Request) {
	known := map[string]state.Attribute{}
	next := uint32(0)
	for _, a := range p.overview.Attributes {
		known[a.Key] = a
		next = max(next, a.ID+1)
	}
	p.byID = make([]attributeRef, next)
	for _, a := range p.overview.Attributes {
		p.byID[a.ID].key = a.Key
	}
	for i, settings := range p.runner.o.Exports {
		e := &export{Export: settings, index: i}
		for _, settings := range settings.Attributes {
			a := &attribute{
				Attribute: settings, export: e, status: StatusApplied,
				chosen: len(request.Only) == 0 || slices.Contains(request.Only, settings.Key),
			}
			if k, ok := known[a.Key]; ok {
				a.id, a.applied = k.ID, k.Applied
			} else {
				a.id = uint32(len(p.byID))
				p.byID = append(p.byID, attributeRef{})
			}
			p.byID[a.id] = attributeRef{a.Key, a}
			e.attributes = append(e.attributes, a)
			p.attributes = append(p.attributes, a)
		}
		p.exports = append(p.exports, e)
	}
}

// resyncing reports whether some records may have to be sent again as a whole.
func (p *plan) resyncing() bool { return p.epoch > p.overview.Resynced }

// open finds the exports' files and decides which need not be read.
func (p *plan) open() {
	anyChanged := false
	for _, e := range p.exports {
		if !e.chosen() {
			continue
		}
		source, err := e.Open()
		if err != nil {
			e.refuse(err)
			continue
		}
		e.source, e.asOf = source, source.AsOf()
		e.fingerprint = p.fingerprint(e)
		for _, a := range e.attributes {
			if a.chosen && a.applied.Fingerprint == e.fingerprint && !p.resyncing() && !p.resend {
				a.status = StatusUnchanged
			} else if reason := checkAge(e.asOf, a.applied, e.MaxAge, time.Now()); reason != "" {
				a.hold(reason)
			}
		}
		anyChanged = anyChanged || e.usable()
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

// fingerprint identifies an export's content and all settings that matter for what
// is made of it.
func (p *plan) fingerprint(e *export) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s %v %v %v", e.source.Fingerprint(), e.KeepAbsent, e.ClearMissing, p.runner.o.Fields))
	return hex.EncodeToString(h[:16])
}

// read reads and sorts all exports that are needed, some at a time.
func (p *plan) read(ctx context.Context) error {
	var needed []*export
	for _, e := range p.exports {
		if e.source != nil && e.usable() {
			needed = append(needed, e)
		}
	}
	if len(needed) == 0 {
		return nil
	}
	// Half of the memory is for exports while they are read, half for what is kept of
	// them afterwards.
	workers := min(runtime.GOMAXPROCS(0), len(needed))
	budget, keep := p.runner.o.Memory/int64(2*workers), p.runner.o.Memory/int64(2*len(needed))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, e := range needed {
		e.rows = newSorter(budget, p.runner.o.TempDir)
		group.Go(func() error { return p.readExport(ctx, e, keep) })
	}
	return group.Wait()
}

// readExport sorts one export's rows. What is wrong with the export holds it; an
// error is one of the run.
func (p *plan) readExport(ctx context.Context, e *export, keep int64) error {
	var payload []byte
	var failed error // of the sorter
	read := 0
	result, err := e.source.Read(ctx, func(userID []byte, cells []attr.Value) error {
		payload = payload[:0]
		for i, cell := range cells {
			if cell.Kind() != attr.None {
				payload = binary.AppendUvarint(payload, uint64(i))
				payload = cell.Append(payload)
			}
		}
		if read++; read%(1<<14) == 0 {
			p.runner.progress.add(1 << 14)
		}
		failed = e.rows.add(userID, payload)
		return failed
	})
	e.result = result
	if failed != nil || ctx.Err() != nil {
		return cmpErr(failed, ctx.Err())
	}
	if err != nil {
		e.refuse(err)
		e.rows.close()
		e.rows = nil
		return nil
	}
	for i, a := range e.attributes {
		r := result.Attributes[i]
		if r.Err != nil {
			a.hold(r.Err.Error())
		} else if reason := checkInvalid(result.Invalid+r.Invalid, result.Rows, p.runner.o.Guard.MaxInvalid); reason != "" {
			a.hold(reason)
		}
	}
	return e.rows.finish(keep)
}

func cmpErr(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// decide merges until no guard speaks up any more.
func (p *plan) decide(ctx context.Context, request Request) error {
	for {
		if err := p.merge(ctx); err != nil {
			return err
		}
		held := false
		for _, a := range p.attributes {
			if !a.active() {
				continue
			}
			limit := p.runner.o.Guard.MaxExits
			if a.export.MaxExits != nil {
				limit = *a.export.MaxExits
			}
			if l, ok := request.MaxExits[a.Key]; ok {
				limit = l
			}
			if reason := checkMembers(a, p.runner.o.Guard, limit); reason != "" {
				a.hold(reason)
				held = true
			}
		}
		if !held {
			return nil
		}
	}
}

// merge passes over all exports and all records and writes the plan.
func (p *plan) merge(ctx context.Context) error {
	p.reset()
	var streams []stream
	var sources []*export
	for _, e := range p.exports {
		if e.rows != nil && e.usable() {
			streams = append(streams, e.rows.stream())
			sources = append(sources, e)
		}
	}
	if len(streams) == 0 && !p.resyncing() {
		return nil
	}
	rows, records := newMerger(streams), p.runner.store.Records()
	c := &contact{
		wanted:  make([]said[attr.Value], len(p.byID)),
		present: make([]said[bool], len(p.exports)),
		fields:  make([]said[[]byte], len(columns(p.runner.o.Fields))),
	}
	parked := p.parked
	var e entry
	more, known := rows.next(), records.Next()
	for n := 0; more || known; n++ {
		if n&0xfff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		order := -1 // of the next row's id and the next record's
		switch {
		case !more:
			order = 1
		case known:
			order = bytes.Compare(rows.userID(), records.UserID())
		}
		if order <= 0 {
			c.start(rows.userID())
		} else {
			c.start(records.UserID())
		}
		if order >= 0 {
			c.known = true
			if err := c.record.Decode(records.Record()); err != nil {
				return fmt.Errorf("%w: run gleapsync verify", err)
			}
		}
		for order <= 0 && more && bytes.Equal(rows.userID(), c.userID) {
			if err := c.add(sources[rows.source()], rows.payload()); err != nil {
				return err
			}
			more = rows.next()
		}
		to := p.diff(c, &e)
		if order >= 0 {
			known = records.Next() // what c knows lies in the reader's memory
		}
		if e.empty() {
			continue
		}
		for len(parked) > 0 && parked[0].UserID < string(c.userID) {
			parked = parked[1:]
		}
		if len(parked) > 0 && parked[0].UserID == string(c.userID) {
			if parked[0].Wanted == e.wantedHash() {
				continue
			}
			p.retried++
		}
		if err := p.write(to, &e); err != nil {
			return err
		}
	}
	return errors.Join(rows.err(), records.Err())
}

// reset forgets what an earlier merge found, but for the attributes that it led to
// be held.
func (p *plan) reset() {
	for i := range p.segments {
		p.segments[i].close()
	}
	for _, a := range p.attributes {
		if a.active() {
			a.before, a.members, a.entered, a.exited, a.changed = 0, 0, 0, 0, 0
		}
	}
	p.contacts, p.calls, p.retried = ContactCounts{}, 0, 0
	p.leftOut = [gleap.LastPageView + 1]int{}
}

func (p *plan) write(to class, e *entry) error {
	p.contacts.Planned++
	if to == backfill {
		p.contacts.Backfill++
	} else {
		p.contacts.Delta++
	}
	p.calls += e.calls()
	body := e.append(nil)
	_, err := p.segments[to].Write(append(binary.AppendUvarint(nil, uint64(len(body))), body...))
	return err
}

// entries calls fn with each entry of the plan, in the order of sending. The bytes
// are fn's to keep.
func (p *plan) entries(fn func(raw []byte) error) error {
	left := p.contacts.Planned
	for i := range p.segments {
		s := &p.segments[i]
		r := s.reader(0, s.position())
		for {
			raw, err := readEntry(r)
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			if err := fn(raw); err != nil {
				return err
			}
			left--
		}
	}
	if left != 0 {
		return errEntry
	}
	return nil
}

func readEntry(r *bufio.Reader) ([]byte, error) {
	size, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if size > 1<<30 {
		return nil, errEntry
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, fmt.Errorf("%w: %w", errEntry, err)
	}
	return raw, nil
}

// close removes the plan's temporary files.
func (p *plan) close() {
	for _, e := range p.exports {
		if e.rows != nil {
			e.rows.close()
		}
	}
	for i := range p.segments {
		p.segments[i].close()
	}
}

// stateAttributes returns the attributes as the state is to know them.
func (p *plan) stateAttributes() []state.Attribute {
	var all []state.Attribute
	for _, a := range p.attributes {
		all = append(all, state.Attribute{ID: a.id, Key: a.Key, Kind: string(a.Kind), Name: a.Name})
	}
	return all
}

// applied returns, for the attributes of this run, what the state is to remember
// once everything was delivered.
func (p *plan) applied(now time.Time) map[uint32]state.Applied {
	all := map[uint32]state.Applied{}
	for _, a := range p.attributes {
		if a.active() && a.applied.Fingerprint != a.export.fingerprint {
			all[a.id] = state.Applied{
				Fingerprint: a.export.fingerprint, AsOf: a.export.asOf, At: now,
				Members: a.members, HasFields: a.export.result.HasFields,
			}
		}
	}
	return all
}

// report returns the plan as a report.
func (p *plan) report() Report {
	r := Report{
		Project:  p.runner.o.Project,
		Mode:     Incremental,
		Outcome:  Planned,
		Contacts: p.contacts,
		Calls:    CallCounts{Identify: p.calls},
		Exports:  []ExportReport{},
	}
	if p.full || p.resyncing() {
		r.Mode = Full
	}
	r.Contacts.Parked = p.overview.Parked - p.retried
	for f, n := range p.leftOut {
		if n > 0 {
			if r.LeftOut == nil {
				r.LeftOut = map[string]int{}
			}
			r.LeftOut[gleap.Field(f).String()] = n
		}
	}
	for _, a := range p.attributes {
		if a.chosen {
			r.Exports = append(r.Exports, a.report())
		}
	}
	if o := p.runner.o; o.Rate > 0 {
		r.Estimate = int((int64(p.calls)*int64(o.Window) + int64(o.Rate)*int64(time.Second) - 1) / (int64(o.Rate) * int64(time.Second)))
	}
	return r
}

func (a *attribute) report() ExportReport {
	result := a.export.result
	r := ExportReport{
		Key: a.Key, Name: a.Name, Kind: a.Kind, Source: a.export.Source,
		Status: a.status, Reason: a.reason, AsOf: a.export.asOf,
		Rows: result.Rows, WithoutUserID: result.WithoutUserID, Invalid: result.Invalid,
		Unreadable: a.export.unreadable,
		Members:    a.members, Entered: a.entered, Exited: a.exited, Changed: a.changed,
		Problems: result.Problems,
	}
	if len(result.Attributes) > a.index() {
		r.Invalid += result.Attributes[a.index()].Invalid
	}
	if a.applied.Fingerprint == a.export.fingerprint && a.status != StatusHeld && a.export.fingerprint != "" {
		r.Status, r.Members = StatusUnchanged, a.applied.Members
	}
	return r
}

func (a *attribute) index() int { return slices.Index(a.export.attributes, a) }
