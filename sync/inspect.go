package sync

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/state"
)

// Summary is what the state holds, in numbers.
type Summary struct {
	Project      string      `json:"project"`
	State        string      `json:"state"` // the file
	Bytes        int64       `json:"bytes"`
	Created      time.Time   `json:"created,omitzero"`
	Resyncing    bool        `json:"resyncing"` // a first sync or a full resync is not complete yet
	Attributes   int         `json:"attributes"`
	Contacts     int         `json:"contacts"`
	Parked       int         `json:"parked"`
	Forgotten    int         `json:"forgotten"`     // contacts that are never to be created again
	Deletions    int         `json:"deletions"`     // of these: Gleap may still have them
	DueEvents    int         `json:"due_events"`    // that Gleap did not acknowledge yet
	ParkedEvents int         `json:"parked_events"` // that it refused
	LastRun      *RunSummary `json:"last_run"`
	// LastSuccess is the last run that delivered everything. It stays what it was while
	// runs fail.
	LastSuccess *RunSummary `json:"last_success"`
	Notes       []string    `json:"notes,omitempty"` // on what somebody should know
}

// Overview is what a state says of itself and of its runs.
type Overview struct {
	Project                 string
	State                   string // the file
	Bytes                   int64
	Created                 time.Time
	Resyncing               bool // a first sync or a full resync is not complete yet
	Parked                  int
	Forgotten               int
	Deletions               int // forgotten contacts that Gleap may still have
	DueEvents, ParkedEvents int
	Attributes              []AttributeSummary
	History                 History
	LastRun                 *RunSummary // of any command
	Notes                   []string    // on what somebody should know
}

// RunSummary is one run in a line.
type RunSummary struct {
	Run         string        `json:"run"`
	Command     string        `json:"command"`
	Mode        Mode          `json:"mode"`
	Only        []string      `json:"only,omitempty"`
	Started     time.Time     `json:"started"`
	Finished    time.Time     `json:"finished"`
	Outcome     Outcome       `json:"outcome"`
	Contacts    ContactCounts `json:"contacts"`
	Events      EventCounts   `json:"events"`
	Calls       CallCounts    `json:"calls"`
	Classes     []ClassReport `json:"classes,omitempty"`
	Convergence string        `json:"convergence,omitempty"` // see [Report]
}

// summary returns a report in a line.
func (r *Report) summary() RunSummary {
	return RunSummary{r.Run, r.Command, r.Mode, r.Only, r.Started, r.Finished, r.Outcome, r.Contacts, r.Events, r.Calls, r.Classes, r.Convergence}
}

// AttributeSummary is one attribute of the state.
type AttributeSummary struct {
	Key     string      `json:"key"`
	Name    string      `json:"name"`
	Kind    engage.Kind `json:"kind"`
	Type    engage.Type `json:"type,omitempty"` // of the values: boolean, number or string
	Members int         `json:"members"`        // contacts for which Gleap acknowledged true or a value
	AsOf    time.Time   `json:"as_of,omitzero"`
	Applied time.Time   `json:"applied,omitzero"`
}

// ContactDetail is all that is known of one contact.
type ContactDetail struct {
	UserID       string                `json:"user_id"`
	Attributes   map[string]attr.Value `json:"attributes"`   // what Gleap acknowledged last
	Acknowledged map[string]time.Time  `json:"acknowledged"` // when, by attribute
	Exports      map[string]Said       `json:"exports"`      // what the present exports say
	Parked       *state.Parked         `json:"parked"`
	Events       []ContactEvent        `json:"events"`    // that are due, or parked
	Forgotten    bool                  `json:"forgotten"` // never to be created again
}

// Keys returns the keys of all attributes of the contact and of the exports, sorted.
func (d ContactDetail) Keys() []string {
	keys := maps.Clone(d.Exports)
	for key := range d.Attributes {
		keys[key] = Said{}
	}
	return slices.Sorted(maps.Keys(keys))
}

// Said is what an export says about an attribute of a contact.
type Said struct {
	Value  attr.Value `json:"value"`            // null if it says nothing
	Absent bool       `json:"absent,omitempty"` // the contact is not in the export
	Error  string     `json:"error,omitempty"`  // the export cannot be read
}

// Inspector looks into a state. It changes nothing and can be used while a sync runs.
type Inspector struct {
	project string

	booleanAs gleap.BooleanAs

	exports []Export
	tracks  []Track
	fields  []Field
	store   *state.Store
	memory  int64
	temp    extsort.CreateTemp
}

// NewInspector returns an inspector of a state and of the exports that feed it.
func NewInspector(o Options, store *state.Store) *Inspector {
	return &Inspector{o.Project, o.BooleanAs, o.Exports, o.Tracks, o.Fields, store, o.Memory, extsort.TempIn(o.TempDir)}
}

// Summary counts what the state holds. It reads all of it.
func (i *Inspector) Summary() (Summary, error) {
	o, err := i.Overview()
	if err != nil {
		return Summary{}, err
	}
	s := Summary{
		Project: o.Project, State: o.State, Bytes: o.Bytes, Created: o.Created, Resyncing: o.Resyncing,
		Attributes: len(o.Attributes), Parked: o.Parked, Forgotten: o.Forgotten, Deletions: o.Deletions, DueEvents: o.DueEvents, ParkedEvents: o.ParkedEvents,
		LastRun: o.LastRun, LastSuccess: o.History.LastSuccess, Notes: o.Notes,
	}
	records := i.store.Records()
	for records.Next() {
		s.Contacts++
	}
	return s, records.Err()
}

// Overview returns what the state says without its records being read.
func (i *Inspector) Overview() (Overview, error) {
	o, err := i.store.Overview()
	if err != nil {
		return Overview{}, err
	}
	s := Overview{
		Project: i.project, State: i.store.Path(), Bytes: o.Bytes, Created: o.Created, Resyncing: i.store.Exists() && o.Resynced < o.Epoch,
		Parked: o.Parked, Forgotten: o.Forgotten, Deletions: o.Deletions, DueEvents: o.DueEvents, ParkedEvents: o.ParkedEvents, Attributes: summaries(o),
	}
	if s.History, err = readHistory(i.store, o); err != nil {
		return Overview{}, err
	}
	if s.Notes, err = formNotes(o, o.Epoch, i.booleanAs); err != nil {
		return Overview{}, err
	}
	runs, err := i.Runs(1)
	if len(runs) > 0 {
		s.LastRun = &runs[0]
	}
	return s, err
}

// present returns the attributes that are not gone.
func present(o state.Overview) []state.Attribute {
	return slices.DeleteFunc(o.Attributes, state.Attribute.Gone)
}

// Attributes lists the state's attributes.
func (i *Inspector) Attributes() ([]AttributeSummary, error) {
	o, err := i.store.Overview()
	return summaries(o), err
}

func summaries(o state.Overview) []AttributeSummary {
	all := []AttributeSummary{}
	for _, a := range present(o) {
		all = append(all, AttributeSummary{a.Key, a.Name, engage.Kind(a.Kind), typeOf(a), a.Members, a.Applied.AsOf, a.Applied.At})
	}
	return all
}

// typeOf returns the type of an attribute's values, "" if nobody knows it.
func typeOf(a state.Attribute) engage.Type {
	if a.Kind != state.KindTrait {
		return engage.Boolean
	}
	return engage.Type(a.Type)
}

// ErrUnknown is returned, wrapped, for a key or run that the state does not have.
var ErrUnknown = errors.New("not in the state")

// Attribute returns one attribute of the state.
func (i *Inspector) Attribute(key string) (AttributeSummary, error) {
	all, err := i.Attributes()
	if err != nil {
		return AttributeSummary{}, err
	}
	for _, a := range all {
		if a.Key == key {
			return a, nil
		}
	}
	return AttributeSummary{}, fmt.Errorf("there is no audience or trait %q: %w, see gleapsync inspect audiences", key, ErrUnknown)
}

// Members calls yield with the user ids of an attribute's members, in their order.
func (i *Inspector) Members(key string, yield func(userID string) error) error {
	o, err := i.store.Overview()
	if err != nil {
		return err
	}
	for _, a := range present(o) {
		if a.Key != key {
			continue
		}
		records := i.store.Records()
		var record state.Record
		for records.Next() {
			if err := record.Decode(records.Record()); err != nil {
				return err
			}
			if state.MemberCount(a.Kind == state.KindTrait, record.Find(a.ID).Value) > 0 {
				if err := yield(string(records.UserID())); err != nil {
					return err
				}
			}
		}
		return records.Err()
	}
	return nil
}

// Contact returns what Gleap acknowledged of a contact and what the exports say. It
// reads all exports.
func (i *Inspector) Contact(ctx context.Context, userID string) (ContactDetail, error) {
	o, err := i.store.Overview()
	if err != nil {
		return ContactDetail{}, err
	}
	d, err := i.stored(userID, o)
	if err != nil {
		return d, err
	}
	exports := keepKeys(i.exports, o.Attributes)
	for n, e := range exports {
		if e.Changes {
			if err := i.askChanges(ctx, &d, n, o); err != nil {
				return d, err
			}
			continue
		}
		e.Attributes = slices.Concat(e.Attributes, remembered(e, exports, o.Attributes))
		know(&e.Export, o.Attributes)
		if err := i.ask(ctx, &d, e); err != nil {
			return d, err
		}
	}
	return d, nil
}

// Stored returns what the state says of a contact. It reads no export: of the exports it has
// what changes said up to the last run.
func (i *Inspector) Stored(userID string) (ContactDetail, error) {
	o, err := i.store.Overview()
	if err != nil {
		return ContactDetail{}, err
	}
	d, err := i.stored(userID, o)
	if err != nil {
		return d, err
	}
	said, err := i.store.Changed(userID)
	for _, n := range said.Attributes {
		for _, a := range o.Attributes {
			if a.ID == n.ID && !a.Gone() {
				d.Exports[a.Key] = Said{Value: n.Value}
			}
		}
	}
	return d, err
}

// stored returns what the state says of a contact, without what changes said.
func (i *Inspector) stored(userID string, o state.Overview) (ContactDetail, error) {
	d := ContactDetail{
		UserID: userID, Attributes: map[string]attr.Value{}, Acknowledged: map[string]time.Time{}, Exports: map[string]Said{},
	}
	record, err := i.store.Record(userID)
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		return d, err
	}
	for _, a := range o.Attributes {
		if k := record.Find(a.ID); !a.Gone() && k.Value.Kind() != attr.None {
			d.Attributes[a.Key] = k.Value
			d.Acknowledged[a.Key] = time.Unix(k.At, 0).UTC()
		}
	}
	forgotten, err := i.store.Forgotten()
	if err != nil {
		return d, err
	}
	d.Forgotten = forgotten.Has([]byte(userID))
	parked, err := i.store.Parked()
	if err != nil {
		return d, err
	}
	for n := range parked {
		if parked[n].UserID == userID {
			d.Parked = &parked[n]
		}
	}
	d.Events, err = i.eventsOf(userID)
	return d, err
}

// ask adds what one export says.
func (i *Inspector) ask(ctx context.Context, d *ContactDetail, e Export) error {
	found := false
	values := make([]attr.Value, len(e.Attributes))
	if e.Source == engage.Stdin { // what is there is for a sync, and can be read once
		for _, a := range e.Attributes {
			d.Exports[a.Key] = Said{Error: "the standard input is read by a sync only"}
		}
		return nil
	}
	result, err := i.read(ctx, e, func(userID []byte, cells []attr.Value) error {
		if string(userID) != d.UserID {
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
		said := Said{Value: values[n], Absent: !found || e.ProfileIDs != nil && values[n].Kind() == attr.None}
		if err != nil {
			said = Said{Error: err.Error()}
		} else if missing := result.Attributes[n].Err; missing != nil {
			said = Said{Error: missing.Error()}
		}
		d.Exports[a.Key] = said
	}
	return nil
}

// typed makes a value of its attribute's type of what a row says.
func typed(settings engage.Attribute, fits engage.Fits, v attr.Value) attr.Value {
	a := attribute{Attribute: settings}
	a.decideType(fits)
	return a.value(v)
}

func (i *Inspector) read(ctx context.Context, e Export, yield func(userID []byte, cells []attr.Value) error) (engage.Result, error) {
	if e.ProfileIDs != nil {
		return readProfiles(ctx, e, i.memory, i.temp, yield)
	}
	source, err := e.Open(ctx)
	if err != nil {
		return engage.Result{}, err
	}
	return source.Read(ctx, yield)
}

// askChanges adds what a change export said, and what its new files say.
func (i *Inspector) askChanges(ctx context.Context, d *ContactDetail, n int, o state.Overview) error {
	said, err := i.store.Changed(d.UserID)
	if err != nil {
		return err
	}
	p := &plan{runner: &Runner{o: Options{Exports: i.exports, Fields: i.fields}}, overview: o}
	p.settings = keepKeys(i.exports, o.Attributes)
	if p.files, err = i.store.Files(); err != nil {
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
			if string(c.UserID) == d.UserID && c.Computation >= 0 {
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
		case a.status == StatusHeld:
			s = Said{Error: a.reason}
		}
		d.Exports[a.Key] = s
	}
	return nil
}

// Runs returns the last n runs, the latest first.
func (i *Inspector) Runs(n int) ([]RunSummary, error) { return readRuns(i.store, n) }

func readRuns(store *state.Store, n int) ([]RunSummary, error) {
	reports, err := store.Runs(n)
	runs := []RunSummary{}
	for _, text := range reports {
		var r RunSummary
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, fmt.Errorf("a run's report cannot be decoded: %w", err)
		}
		runs = append(runs, r)
	}
	return runs, err
}

// Reports returns the reports of the last n runs as they were printed, the latest
// first.
func (i *Inspector) Reports(n int) ([]json.RawMessage, error) { return i.store.Runs(n) }

// EachReport calls yield with what [Inspector.Reports] returns, one by one: the reports of
// many exports are large. The state is read for about size bytes at a time, each time after
// turn, and is closed while yield is at work.
func (i *Inspector) EachReport(n, size int, turn func() error, yield func(json.RawMessage) error) error {
	for last := ""; ; {
		if err := turn(); err != nil {
			return err
		}
		var reports []json.RawMessage
		var err error
		if reports, last, err = i.store.RunsBefore(last, size); err != nil {
			return err
		}
		for _, report := range reports {
			if err := yield(report); err != nil {
				return err
			}
			if n--; n == 0 {
				return nil
			}
		}
		if last == "" {
			return nil
		}
	}
}

// LastSync returns the report of the last sync, nil if there was none. An export of the
// configuration that it did not look at is in it as the last one left it that did.
func (i *Inspector) LastSync() (*Report, error) { return i.lastSync(true) }

// LastWholeSync is LastSync without those syncs that were to look at some exports only.
func (i *Inspector) LastWholeSync() (*Report, error) { return i.lastSync(false) }

func (i *Inspector) lastSync(only bool) (*Report, error) {
	const few = 8 // mostly the last one has all
	reports, err := i.LastReports(few)
	if err != nil {
		return nil, err
	}
	o, err := i.store.Overview()
	if err != nil {
		return nil, err
	}
	last, complete := i.merge(reports, only, o.Attributes)
	if !complete && len(reports) == few {
		if reports, err = i.LastReports(math.MaxInt); err != nil {
			return nil, err
		}
		last, _ = i.merge(reports, only, o.Attributes)
	}
	return last, nil
}

// merge returns the latest of the syncs among reports, with what the others say of
// exports that it did not look at. It reports whether all exports are in it.
func (i *Inspector) merge(reports []Report, only bool, known []state.Attribute) (last *Report, complete bool) {
	missing := map[string]bool{}
	exports := keepKeys(i.exports, known)
	for _, e := range exports {
		for _, a := range slices.Concat(e.Attributes, remembered(e, exports, known)) {
			missing[a.Key] = true
		}
	}
	for _, t := range i.tracks {
		missing[ledgerName(t.Source)] = true
	}
	for _, r := range reports {
		if r.Command != "sync" || len(r.Only) > 0 && !only {
			continue
		}
		exports := r.Exports
		if last == nil {
			last, r.Exports = &r, nil
		}
		for _, e := range exports {
			if missing[e.Key] {
				last.Exports = append(last.Exports, e)
				delete(missing, e.Key)
			}
		}
	}
	return last, len(missing) == 0
}

// Run returns one run's report.
func (i *Inspector) Run(id string) (Report, error) {
	text, err := i.store.Run(id)
	if err != nil {
		return Report{}, err
	}
	if len(text) == 0 {
		return Report{}, fmt.Errorf("there is no run %q: %w, see gleapsync inspect runs", id, ErrUnknown)
	}
	return decodeReport(text)
}

// LastReports returns the reports of the last n runs, the latest first.
func (i *Inspector) LastReports(n int) ([]Report, error) {
	texts, err := i.store.Runs(n)
	var reports []Report
	for _, text := range texts {
		r, err := decodeReport(text)
		if err != nil {
			return nil, err
		}
		reports = append(reports, r)
	}
	return reports, err
}

func decodeReport(text json.RawMessage) (Report, error) {
	r := Report{Recorded: true}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("a run's report cannot be decoded: %w", err)
	}
	return r, nil
}

// ParkedContact is a contact whose call Gleap refused for good.
type ParkedContact struct {
	UserID string `json:"user_id"`
	state.Parked
}

// Parked returns the parked contacts in the order of their ids.
func (i *Inspector) Parked() ([]ParkedContact, error) {
	parked, err := i.store.Parked()
	all := []ParkedContact{}
	for _, p := range parked {
		all = append(all, ParkedContact{p.UserID, p})
	}
	return all, err
}
