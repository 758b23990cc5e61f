package sync

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/extsort"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Summary is what the state holds, in numbers.
type Summary struct {
	Project      string        `json:"project"`
	State        string        `json:"state"` // the file
	Bytes        int64         `json:"bytes"`
	Created      time.Time     `json:"created,omitzero"`
	Resyncing    bool          `json:"resyncing"` // a first sync or a full resync is not complete yet
	Attributes   int           `json:"attributes"`
	Contacts     int           `json:"contacts"`
	Parked       int           `json:"parked"`
	Forgotten    int           `json:"forgotten"`     // contacts that are never to be created again
	Deletions    int           `json:"deletions"`     // of these: Gleap may still have them
	DueEvents    int           `json:"due_events"`    // that Gleap did not acknowledge yet
	ParkedEvents int           `json:"parked_events"` // that it refused
	LastRun      *runs.Summary `json:"last_run"`
	// LastSuccess is the last run that delivered everything. It stays what it was while
	// runs fail.
	LastSuccess *runs.Summary `json:"last_success"`
	Notes       []string      `json:"notes,omitempty"` // on what somebody should know
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
	History                 runs.History
	LastRun                 *runs.Summary // of any command
	Notes                   []string      // on what somebody should know
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
	all, err := i.Runs(1)
	if len(all) > 0 {
		s.LastRun = &all[0]
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
