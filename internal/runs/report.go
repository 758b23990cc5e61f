package runs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/human"
	"gleapsync/internal/values"
)

// Mode says what a run compares with.
type Mode string

// The modes of a run.
const (
	Incremental Mode = "incremental" // only what changed is sent
	First       Mode = "first"       // no sync came to its end before: everything is
	Full        Mode = "full"        // a resync: everything is sent again
	Assuming    Mode = "baseline"    // nothing is sent
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
	Lost        Outcome = "lost"        // the run was killed, or its machine was; what Gleap acknowledged is not
)

// Report says what a run did, or what it would do. Its JSON is what the commands
// print and what the state keeps.
type Report struct {
	Run      string         `json:"run"`
	Command  string         `json:"command"` // sync, plan, baseline or retire, or one with Touched
	Project  string         `json:"project"`
	Mode     Mode           `json:"mode"`
	Only     []string       `json:"only,omitempty"` // keys, if the run was to look at these only
	Plan     string         `json:"plan,omitempty"` // id of the saved plan that the run wrote or carried out
	Started  time.Time      `json:"started"`
	Finished time.Time      `json:"finished"`
	Outcome  Outcome        `json:"outcome"`
	Error    string         `json:"error,omitempty"`
	Exports  []ExportReport `json:"exports"`
	Contacts ContactCounts  `json:"contacts"`
	Classes  []ClassReport  `json:"classes,omitempty"` // the same contacts, in the order of the plan
	Events   EventCounts    `json:"events"`
	Calls    CallCounts     `json:"calls"`
	// LeftOut counts, by Gleap's name of the field, contact fields that cannot be
	// what they should be, in contacts that were planned.
	LeftOut map[string]int `json:"fields_left_out,omitempty"`
	// FieldsMissing are the columns and traits under [contact] that no export has.
	FieldsMissing []string `json:"fields_missing,omitempty"`
	// FieldsDiffer counts, by Gleap's name of the field, contacts of which exports say different
	// things. That of the export which the configuration names first counts.
	FieldsDiffer map[string]int `json:"fields_differ,omitempty"`
	// Orphans are the attributes that Gleap's contacts have and no export feeds any more.
	Orphans []Orphan `json:"orphans,omitempty"`
	// Deletions counts forgotten contacts that Gleap had to delete; nil: there were none.
	Deletions *Deletions `json:"deletions,omitempty"`
	// Touched counts what a command changed that makes no plan, such as retry. It compares nothing,
	// and its mode is Incremental. Nil: it is none.
	Touched *Touched `json:"touched,omitempty"`
	// Notes are sentences on what somebody should know, and that holds nothing.
	Notes []string `json:"notes,omitempty"`
	// Empty are the tables that have no rows.
	Empty []string `json:"tables_without_rows,omitempty"`
	// Unused says what is in the exports that were read, or beside them, and not in the
	// configuration.
	Unused []string `json:"unused,omitempty"`
	// Convergence says so if more changes come with every run than fit, and what costs most.
	Convergence string `json:"convergence,omitempty"`
	Estimate    int    `json:"estimate_seconds"` // that the planned calls take at the rate limit
	// How long the plan took, and what came after it: the calls and the commits.
	PlanSeconds float64 `json:"plan_seconds"`
	PushSeconds float64 `json:"push_seconds"`
	// Spans are the run's parts, for a trace.
	Spans []Span `json:"-"`
	// Recorded is set if the state has the report.
	Recorded bool `json:"-"`
}

// Orphan is an attribute that no export feeds any more, and that is not retired.
type Orphan struct {
	Key     string      `json:"key"`
	Name    string      `json:"name"`
	Kind    engage.Kind `json:"kind"`
	Members int         `json:"members"` // contacts for which Gleap acknowledged true or a value
}

// Status says what became of an attribute's export.
type Status string

// The statuses of an attribute.
const (
	StatusApplied   Status = "applied"
	StatusUnchanged Status = "unchanged" // the same as last applied
	StatusHeld      Status = "held"      // refused by a guard: nothing of it is sent
)

// ExportReport is about one attribute and the export that feeds it, or about an event
// export, whose key is track and its source, or about a list of known contacts, whose key is
// known and its source.
type ExportReport struct {
	Key           string           `json:"key"`
	Name          string           `json:"name"`
	Kind          engage.Kind      `json:"kind"`
	Type          values.Type      `json:"type,omitempty"` // of the values: boolean, number or string
	Source        string           `json:"source"`
	Status        Status           `json:"status"`
	Reason        string           `json:"reason"`
	New           bool             `json:"new,omitempty"`        // found in changes, and no run knew it before
	Unreadable    bool             `json:"unreadable,omitempty"` // held since its files are not there or cannot be read
	AsOf          time.Time        `json:"as_of,omitzero"`
	Rows          int              `json:"rows"`    // that were read, 0 if unchanged
	Invalid       int              `json:"invalid"` // of these
	WithoutUserID int              `json:"without_user_id"`
	Members       int              `json:"members"`                // users with true or with a value
	Acknowledged  int              `json:"acknowledged,omitempty"` // of a held export: the members that Gleap has
	Kept          int              `json:"kept,omitempty"`         // members in Gleap of whom the export has a row without a value: they stay
	Withheld      int              `json:"withheld"`               // exits and clears that do not count, since not all was read: see Reason
	Retyped       int              `json:"retyped,omitempty"`      // contacts that are told again, since Gleap has a value of another type
	Entered       int              `json:"entered"`                // of an audience's members
	Exited        int              `json:"exited"`                 // members who left, or values that are cleared
	Changed       int              `json:"changed"`                // values of a trait that are new or different
	Damped        int              `json:"damped,omitempty"`       // values whose change is not worth a call of its own
	Mended        int              `json:"mended,omitempty"`       // contacts of whom changes said something else than the snapshot of an audit
	CallsAlone    int              `json:"calls_alone"`            // contacts that are called for this attribute alone
	Problems      []engage.Problem `json:"problems,omitempty"`
	// PassedOver counts, by their class, rows of changes that are neither of audiences nor of
	// traits. It is that of all attributes of the export.
	PassedOver map[string]int `json:"passed_over,omitempty"`
	Note       string         `json:"note,omitempty"` // what somebody should know, and nothing is wrong with
	TrackCounts
}

// The kinds of what is in a report and is no attribute.
const (
	KindTrack engage.Kind = "track" // an event export
	KindKnown engage.Kind = "known" // a list of the contacts that may be created
)

// IsAttribute reports whether the export is that of an attribute.
func (e ExportReport) IsAttribute() bool { return e.Kind != KindTrack && e.Kind != KindKnown }

// TrackCounts counts the events of an event export.
type TrackCounts struct {
	Events    int `json:"events,omitempty"`              // that are new
	Repeated  int `json:"repeated,omitempty"`            // that came before
	Unnamed   int `json:"of_other_names,omitempty"`      // calls that have none of the names that are taken
	Early     int `json:"before_since,omitempty"`        // from before the time since when they are sent
	Forgotten int `json:"forgotten,omitempty"`           // of contacts that were forgotten
	LeftOut   int `json:"properties_left_out,omitempty"` // of events, since Gleap takes ten, and since they are not wanted
}

// IsWhole reports whether the run was a sync that was to look at all exports. Of one that was
// lost nobody knows what it was to look at.
func (r *Report) IsWhole() bool { return r.Summary().IsWhole() }

// Held reports whether an export is held, or exits of one are withheld.
func (r *Report) Held() bool {
	return slices.ContainsFunc(r.Exports, ExportReport.IsHeld)
}

// IsHeld reports whether the export is held, or exits of it are withheld. Reason says why.
func (e ExportReport) IsHeld() bool { return e.Status == StatusHeld || e.Withheld > 0 }

// Changes counts what changed of the attribute.
func (e ExportReport) Changes() int { return e.Entered + e.Exited + e.Changed }

// IsQuiet reports whether nobody needs to look at the export: nothing changed of it, and nothing is
// wrong with it.
func (e ExportReport) IsQuiet() bool {
	return !e.IsHeld() && !e.New && e.Changes()+e.Invalid+e.Retyped+e.Events == 0
}

// InGleap counts the members; of a held export, since what it says is not believed, those that
// Gleap has.
func (e ExportReport) InGleap() int {
	if e.Status == StatusHeld {
		return e.Acknowledged
	}
	return e.Members
}

// KeptMembers says of how many members the exports have a row and no value, "" if of none. In Gleap
// they are members, and in the exports' counts they are not.
func (r *Report) KeptMembers() string {
	var kept []string
	for _, e := range r.Exports {
		if e.Kind == engage.Audience && e.Kept > 0 {
			kept = append(kept, human.Grouped(e.Kept)+" of "+e.Key)
		}
	}
	if len(kept) == 0 {
		return ""
	}
	return "members of whom a row says nothing now (blank or NULL) stay members: " + FirstOf(kept)
}

// Unreadable reports whether none of the exports could be read at all.
func (r *Report) Unreadable() bool {
	exports := 0
	for _, e := range r.Exports {
		switch {
		case e.Kind == KindKnown: // without it others go on
		case !e.Unreadable:
			return false
		default:
			exports++
		}
	}
	return exports > 0
}

// Resolve returns the command to run about an export that is held, "" if it is not: the one
// that its reason names to let members leave, and else the one that tries the export again
// and sends nothing. Whether to run it is for somebody who has read the reason.
func (e ExportReport) Resolve() string {
	if !e.IsHeld() {
		return ""
	}
	for _, allow := range []string{AllowExits(e.Key, e.Exited+e.Withheld), AcceptAbsence(e.Key)} {
		if strings.Contains(e.Reason, strings.TrimPrefix(allow, "gleapsync ")) { // as it stands in older reports
			return allow
		}
	}
	return tryAgain
}

// tryAgain is the command that tries all exports and sends nothing.
const tryAgain = "gleapsync check"

// ContactCounts counts contacts.
type ContactCounts struct {
	Planned   int `json:"planned"`
	Delta     int `json:"delta"`     // of these: with a change of what was delivered before
	Backfill  int `json:"backfill"`  // of these: with first deliveries only
	Sent      int `json:"sent"`      // acknowledged in this run
	Assumed   int `json:"assumed"`   // taken as delivered by a baseline
	Parked    int `json:"parked"`    // refused by Gleap, in this run or before
	Forgotten int `json:"forgotten"` // in the exports, and not to be created again
	Unknown   int `json:"unknown"`   // in the exports and without a record, and left out since no list of known contacts has them
	Remaining int `json:"remaining"` // planned, and left for the next run
}

// ClassReport is about the contacts of one class.
type ClassReport struct {
	Class   Class  `json:"class"`
	Planned int    `json:"planned"`
	Left    int    `json:"left"`            // for the next run
	Since   string `json:"since,omitempty"` // the run since which some were always left
}

// Done takes contacts off that are not left any more.
func (r *Report) Done(contacts [Classes]int) {
	for class, n := range contacts {
		r.Classes[class].Left -= n
	}
}

// EventCounts counts events.
type EventCounts struct {
	Planned   int `json:"planned"`   // left over from before, new, and those of changes of planned contacts
	Sent      int `json:"sent"`      // acknowledged in this run
	Refused   int `json:"refused"`   // by Gleap in this run
	Parked    int `json:"parked"`    // refused by Gleap, in this run or before
	Remaining int `json:"remaining"` // planned, and left for the next run
}

// CallCounts counts requests.
type CallCounts struct {
	Identify    int `json:"identify"`     // calls, planned or acknowledged; repeats do not count
	Track       int `json:"track"`        // the same of requests with events
	Refused     int `json:"refused"`      // calls that Gleap refused for good, requests with events among them
	Retried     int `json:"retried"`      // attempts after a call's first
	RateLimited int `json:"rate_limited"` // answers with status 429
}

// All returns how many calls there were in all.
func (c CallCounts) All() int { return c.Identify + c.Track }

// Deletions counts contacts that are forgotten here, of this command and of those before it
// which did not come to their end.
type Deletions struct {
	Deleted int `json:"deleted"` // in Gleap
	Absent  int `json:"absent"`  // Gleap did not have them
	Owed    int `json:"owed"`    // Gleap may still have them: the next run goes on
}

// Touched counts what a command changed that makes no plan: forget, retry, resend, discard and
// restore, which puts all contacts of a backup in the place of those that there were.
type Touched struct {
	Contacts int `json:"contacts"`
	Events   int `json:"events"`
}

// AllowExits is the command that lets so many members leave in one run.
func AllowExits(key string, exits int) string {
	return fmt.Sprintf("gleapsync sync --max-exits %s=%d", key, exits)
}

// AcceptAbsence is the command that lets withheld exits go in one run.
func AcceptAbsence(key string) string { return "gleapsync sync --accept-absence " + key }
