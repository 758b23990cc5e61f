package inspect

import (
	"time"

	"gleapsync/internal/forms"
	"gleapsync/internal/replica"
	"gleapsync/internal/runs"
	"gleapsync/state"
	"gleapsync/sync"
)

// View looks into a state. It changes nothing and can be used while a sync runs.
type View struct {
	o     sync.Options
	store *state.Store
	past
}

// New returns a view of a state and of the exports that feed it.
func New(o sync.Options, store *state.Store) *View { return &View{o, store, past{o, store}} }

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
	Attributes              []Attribute
	History                 runs.History
	Running                 *state.Holder // the process whose run goes on, nil: none
	LastRun                 *runs.Summary // of any command that makes a plan
	Notes                   []string      // on what somebody should know
}

// Overview returns what the state says without its records being read.
func (v *View) Overview() (Overview, error) {
	o, err := v.store.Overview()
	if err != nil {
		return Overview{}, err
	}
	s := Overview{
		Running: state.HolderOf(v.store.Path()),
		Project: v.o.Project, State: v.store.Path(), Bytes: o.Bytes, Created: o.Created, Resyncing: v.store.Exists() && o.Resynced < o.Epoch,
		Parked: o.Parked, Forgotten: o.Forgotten, Deletions: o.Deletions, DueEvents: o.DueEvents, ParkedEvents: o.ParkedEvents, Attributes: v.attributesOf(o),
	}
	if s.History, err = runs.HistoryOf(v.store, o); err != nil {
		return Overview{}, err
	}
	if s.Notes, err = forms.Notes(o, o.Epoch, v.o.BooleanAs); err != nil {
		return Overview{}, err
	}
	s.LastRun, err = v.lastRun()
	return s, err
}

// Running returns the process whose run goes on, nil if none does.
func (v *View) Running() *state.Holder { return state.HolderOf(v.store.Path()) }

// Summary is what the state holds, in numbers.
type Summary struct {
	Project      string    `json:"project"`
	State        string    `json:"state"` // the file
	Bytes        int64     `json:"bytes"`
	Created      time.Time `json:"created,omitzero"`
	Resyncing    bool      `json:"resyncing"` // a first sync or a full resync is not complete yet
	Attributes   int       `json:"attributes"`
	Contacts     int       `json:"contacts"`
	Parked       int       `json:"parked"`
	Forgotten    int       `json:"forgotten"`     // contacts that are never to be created again
	Deletions    int       `json:"deletions"`     // of these: Gleap may still have them
	DueEvents    int       `json:"due_events"`    // that Gleap did not acknowledge yet
	ParkedEvents int       `json:"parked_events"` // that it refused
	// Running is the process whose run goes on, and how far it is; null: none.
	Running *state.Holder `json:"running"`
	LastRun *runs.Summary `json:"last_run"`
	Held    HeldCounts    `json:"held"` // by the last sync
	// LastSuccess is the last run that delivered everything. It stays what it was while
	// runs fail.
	LastSuccess *runs.Summary `json:"last_success"`
	Notes       []string      `json:"notes,omitempty"` // on what somebody should know
	// Replica is the bucket that the state lives in too; missing: it lives here alone.
	Replica *replica.Status `json:"replica,omitempty"`
}

// HeldCounts counts what a sync did not believe.
type HeldCounts struct {
	Exports  int `json:"exports"`  // that were held
	Withheld int `json:"withheld"` // exits that were
	Of       int `json:"of"`       // so many exports
}

func (v *View) heldCounts() (n HeldCounts, err error) {
	last, err := v.LastSync()
	if err != nil || last == nil {
		return n, err
	}
	for _, e := range last.Exports {
		switch {
		case e.Status == runs.StatusHeld:
			n.Exports++
		case e.Withheld > 0:
			n.Withheld, n.Of = n.Withheld+e.Withheld, n.Of+1
		}
	}
	return n, nil
}

// Summary counts what the state holds. It reads all of it.
func (v *View) Summary() (Summary, error) {
	o, err := v.Overview()
	if err != nil {
		return Summary{}, err
	}
	s := Summary{
		Project: o.Project, State: o.State, Bytes: o.Bytes, Created: o.Created, Resyncing: o.Resyncing,
		Attributes: len(o.Attributes), Parked: o.Parked, Forgotten: o.Forgotten, Deletions: o.Deletions, DueEvents: o.DueEvents, ParkedEvents: o.ParkedEvents,
		Running: o.Running, LastRun: o.LastRun, LastSuccess: o.History.LastSuccess, Notes: o.Notes,
	}
	if s.Held, err = v.heldCounts(); err != nil {
		return Summary{}, err
	}
	records := v.store.Records()
	for records.Next() {
		s.Contacts++
	}
	return s, records.Err()
}
