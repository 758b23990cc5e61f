package sync

import (
	"slices"
	"time"

	"gleapsync/engage"
)

// Mode says what a run compares with.
type Mode string

// The modes of a run.
const (
	Incremental Mode = "incremental" // only what changed is sent
	Full        Mode = "full"        // a first sync or a resync: everything is
)

// Outcome says how a run ended.
type Outcome string

// The outcomes of a run.
const (
	Complete    Outcome = "complete"    // everything that was planned was sent or parked
	Partial     Outcome = "partial"     // the deadline came; the rest is left for the next run
	Held        Outcome = "held"        // complete, but for the exports that a guard refused
	Failed      Outcome = "failed"      // Gleap refused or was unreachable, or the state could not be written
	Interrupted Outcome = "interrupted" // stopped by a signal
	Planned     Outcome = "planned"     // nothing was sent: only a plan was asked for
)

// Report says what a run did, or what it would do. Its JSON is what the commands
// print and what the state keeps.
type Report struct {
	Run      string         `json:"run"`
	Command  string         `json:"command"` // sync, plan or baseline
	Project  string         `json:"project"`
	Mode     Mode           `json:"mode"`
	Started  time.Time      `json:"started"`
	Finished time.Time      `json:"finished"`
	Outcome  Outcome        `json:"outcome"`
	Error    string         `json:"error,omitempty"`
	Exports  []ExportReport `json:"exports"`
	Contacts ContactCounts  `json:"contacts"`
	Calls    CallCounts     `json:"calls"`
	// LeftOut counts, by Gleap's name of the field, contact fields that cannot be
	// what they should be, in contacts that were planned.
	LeftOut  map[string]int `json:"fields_left_out,omitempty"`
	Estimate int            `json:"estimate_seconds"` // that the planned calls take at the rate limit
}

// Status says what became of an attribute's export.
type Status string

// The statuses of an attribute.
const (
	StatusApplied   Status = "applied"
	StatusUnchanged Status = "unchanged" // the same as last applied
	StatusHeld      Status = "held"      // refused by a guard: nothing of it is sent
)

// ExportReport is about one attribute and the export that feeds it.
type ExportReport struct {
	Key           string           `json:"key"`
	Name          string           `json:"name"`
	Kind          engage.Kind      `json:"kind"`
	Source        string           `json:"source"`
	Status        Status           `json:"status"`
	Reason        string           `json:"reason,omitempty"`
	Unreadable    bool             `json:"unreadable,omitempty"` // held since its files are not there or cannot be read
	AsOf          time.Time        `json:"as_of,omitzero"`
	Rows          int              `json:"rows"`    // that were read, 0 if unchanged
	Invalid       int              `json:"invalid"` // of these
	WithoutUserID int              `json:"without_user_id"`
	Members       int              `json:"members"` // users with true or with a value
	Entered       int              `json:"entered"` // of an audience's members
	Exited        int              `json:"exited"`  // members who left, or values that are cleared
	Changed       int              `json:"changed"` // values of a trait that are new or different
	Problems      []engage.Problem `json:"problems,omitempty"`
}

// Held reports whether an export is held.
func (r *Report) Held() bool {
	return slices.ContainsFunc(r.Exports, func(e ExportReport) bool { return e.Status == StatusHeld })
}

// Unreadable reports whether none of the exports could be read at all.
func (r *Report) Unreadable() bool {
	for _, e := range r.Exports {
		if !e.Unreadable {
			return false
		}
	}
	return len(r.Exports) > 0
}

// ContactCounts counts contacts.
type ContactCounts struct {
	Planned   int `json:"planned"`
	Delta     int `json:"delta"`     // of these: Gleap knows them
	Backfill  int `json:"backfill"`  // of these: new to Gleap
	Sent      int `json:"sent"`      // acknowledged in this run
	Assumed   int `json:"assumed"`   // taken as delivered by a baseline
	Parked    int `json:"parked"`    // refused by Gleap, in this run or before
	Remaining int `json:"remaining"` // planned, and left for the next run
}

// CallCounts counts requests.
type CallCounts struct {
	Identify    int `json:"identify"` // calls, planned or acknowledged; repeats do not count
	Track       int `json:"track"`
	Retried     int `json:"retried"`      // attempts after a call's first
	RateLimited int `json:"rate_limited"` // answers with status 429
}
