package sync

import (
	"slices"
	"strings"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/state"
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
)

// Report says what a run did, or what it would do. Its JSON is what the commands
// print and what the state keeps.
type Report struct {
	Run      string         `json:"run"`
	Command  string         `json:"command"` // sync, plan or baseline
	Project  string         `json:"project"`
	Mode     Mode           `json:"mode"`
	Only     []string       `json:"only,omitempty"` // keys, if the run was to look at these only
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
	// Notes are sentences on what somebody should know, and that holds nothing.
	Notes []string `json:"notes,omitempty"`
	// Convergence says so if more changes come with every run than fit, and what costs most.
	Convergence string `json:"convergence,omitempty"`
	Estimate    int    `json:"estimate_seconds"` // that the planned calls take at the rate limit
	// How long the plan took, and what came after it: the calls and the commits.
	PlanSeconds float64 `json:"plan_seconds"`
	PushSeconds float64 `json:"push_seconds"`
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
// export, whose key is track and its source.
type ExportReport struct {
	Key           string           `json:"key"`
	Name          string           `json:"name"`
	Kind          engage.Kind      `json:"kind"`
	Type          engage.Type      `json:"type,omitempty"` // of the values: boolean, number or string
	Source        string           `json:"source"`
	Status        Status           `json:"status"`
	Reason        string           `json:"reason"`
	New           bool             `json:"new,omitempty"`        // found in changes, and no run knew it before
	Unreadable    bool             `json:"unreadable,omitempty"` // held since its files are not there or cannot be read
	AsOf          time.Time        `json:"as_of,omitzero"`
	Rows          int              `json:"rows"`    // that were read, 0 if unchanged
	Invalid       int              `json:"invalid"` // of these
	WithoutUserID int              `json:"without_user_id"`
	Members       int              `json:"members"`           // users with true or with a value
	Withheld      int              `json:"withheld"`          // exits and clears that do not count, since not all was read: see Reason
	Retyped       int              `json:"retyped,omitempty"` // contacts that are told again, since Gleap has a value of another type
	Entered       int              `json:"entered"`           // of an audience's members
	Exited        int              `json:"exited"`            // members who left, or values that are cleared
	Changed       int              `json:"changed"`           // values of a trait that are new or different
	Damped        int              `json:"damped,omitempty"`  // values whose change is not worth a call of its own
	CallsAlone    int              `json:"calls_alone"`       // contacts that are called for this attribute alone
	Problems      []engage.Problem `json:"problems,omitempty"`
	// PassedOver counts, by their class, rows of changes that are neither of audiences nor of
	// traits. It is that of all attributes of the export.
	PassedOver map[string]int `json:"passed_over,omitempty"`
	Note       string         `json:"note,omitempty"` // what somebody should know, and nothing is wrong with
	TrackCounts
}

// KindTrack is the kind of an event export in a report.
const KindTrack engage.Kind = "track"

// TrackCounts counts the events of an event export.
type TrackCounts struct {
	Events    int `json:"events,omitempty"`              // that are new
	Repeated  int `json:"repeated,omitempty"`            // that came before
	Unnamed   int `json:"of_other_names,omitempty"`      // calls that have none of the names that are taken
	Early     int `json:"before_since,omitempty"`        // from before the time since when they are sent
	Forgotten int `json:"forgotten,omitempty"`           // of contacts that were forgotten
	LeftOut   int `json:"properties_left_out,omitempty"` // of events, since Gleap takes ten, and since they are not wanted
}

// Held reports whether an export is held, or exits of one are withheld.
func (r *Report) Held() bool {
	return slices.ContainsFunc(r.Exports, ExportReport.IsHeld)
}

// IsHeld reports whether the export is held, or exits of it are withheld. Reason says why.
func (e ExportReport) IsHeld() bool { return e.Status == StatusHeld || e.Withheld > 0 }

// Unreadable reports whether none of the exports could be read at all.
func (r *Report) Unreadable() bool {
	for _, e := range r.Exports {
		if !e.Unreadable {
			return false
		}
	}
	return len(r.Exports) > 0
}

// held returns the exports that are held.
func (r *Report) held() []ExportReport {
	return slices.DeleteFunc(r.Exports, func(e ExportReport) bool { return e.Status != StatusHeld })
}

// Resolve returns the command to run about an export that is held, "" if it is not: the one
// that its reason names to let members leave, and else the one that tries the export again
// and sends nothing. Whether to run it is for somebody who has read the reason.
func (e ExportReport) Resolve() string {
	if !e.IsHeld() {
		return ""
	}
	for _, allow := range []string{allowExits(e.Key, e.Exited+e.Withheld), acceptAbsence(e.Key)} {
		if strings.Contains(e.Reason, allow) {
			return "gleapsync " + allow
		}
	}
	return "gleapsync check"
}

// unchanged makes e that of an export like the one last applied. It may have been read
// for the fields of other contacts; what it wants is delivered, or parked.
func (e *ExportReport) unchanged(members int) {
	*e = ExportReport{Key: e.Key, Name: e.Name, Kind: e.Kind, Type: e.Type, Source: e.Source, Status: StatusUnchanged, AsOf: e.AsOf, Members: members, Note: e.Note}
}

// ContactCounts counts contacts.
type ContactCounts struct {
	Planned   int `json:"planned"`
	Delta     int `json:"delta"`     // of these: with a change of what was delivered before
	Backfill  int `json:"backfill"`  // of these: with first deliveries only
	Sent      int `json:"sent"`      // acknowledged in this run
	Assumed   int `json:"assumed"`   // taken as delivered by a baseline
	Parked    int `json:"parked"`    // refused by Gleap, in this run or before
	Forgotten int `json:"forgotten"` // in the exports, and not to be created again
	Remaining int `json:"remaining"` // planned, and left for the next run
}

// ClassReport is about the contacts of one class.
type ClassReport struct {
	Class   Class  `json:"class"`
	Planned int    `json:"planned"`
	Left    int    `json:"left"`            // for the next run
	Since   string `json:"since,omitempty"` // the run since which some were always left
}

// done takes contacts off that are not left any more.
func (r *Report) done(contacts [classes]int) {
	for class, n := range contacts {
		r.Classes[class].Left -= n
	}
}

// leftSince says since when something is left of each class.
func (r *Report) leftSince(t state.Turns) {
	for i := range r.Classes {
		c := &r.Classes[i]
		c.Since = ""
		if c.Left > 0 || r.Outcome == Planned && c.Planned > 0 {
			c.Since = t.Classes[c.Class.String()].Since
		}
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

// report returns the plan as a report.
func (p *plan) report() Report {
	r := Report{
		Project:  p.runner.o.Project,
		Mode:     Incremental,
		Outcome:  Planned,
		Contacts: p.contacts,
		Calls:    CallCounts{Identify: p.calls, Track: p.trackCalls()},
		Events:   EventCounts{Planned: p.events(), Parked: p.overview.ParkedEvents},
		Exports:  []ExportReport{},
	}
	switch {
	case p.assume:
		r.Mode = Assuming
	case p.overview.Resynced == 0 && !p.alone:
		r.Mode = First
	case p.full || p.resyncing():
		r.Mode = Full
	}
	for class := range classes {
		r.Classes = append(r.Classes, ClassReport{Class: class, Planned: p.classContacts[class]})
	}
	r.leftSince(p.turns)
	r.Contacts.Parked = p.overview.Parked - p.retried - len(p.unpark)
	for f, n := range p.leftOut {
		if n > 0 {
			if r.LeftOut == nil {
				r.LeftOut = map[string]int{}
			}
			r.LeftOut[gleap.Field(f).String()] = n
		}
	}
	r.FieldsMissing, r.FieldsDiffer = p.missingFields(), p.differingFields()
	for _, a := range p.orphans() {
		if !a.Retired && !p.alone {
			r.Orphans = append(r.Orphans, Orphan{a.Key, a.Name, engage.Kind(a.Kind), a.Members})
		}
	}
	for _, a := range p.attributes {
		if a.chosen {
			e := a.report()
			if e.Status == StatusApplied && e.Retyped == 0 && a.export.isApplied(a) && !p.resyncing() && !p.resend && a.applied.Due.IsZero() {
				e.unchanged(a.applied.Members)
			}
			r.Exports = append(r.Exports, e)
		}
	}
	r.Exports = append(r.Exports, p.unusable...)
	r.Notes = slices.Concat(p.reservedNotes(), p.formNotes(), p.aheadNotes())
	if n := p.overview.Deletions; n > 0 {
		r.Deletions = &Deletions{Owed: n}
	}
	for _, t := range p.tracks {
		r.Exports = append(r.Exports, t.report())
	}
	if o := p.runner.o; o.Rate > 0 {
		r.Estimate = int((int64(p.calls+p.trackCalls())*int64(o.Window) + int64(o.Rate)*int64(time.Second) - 1) / (int64(o.Rate) * int64(time.Second)))
	}
	return r
}

// aheadNotes names the exports whose times lie ahead.
func (p *plan) aheadNotes() (notes []string) {
	add := func(note string) {
		if note != "" && !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
	}
	for _, e := range p.exports {
		add(e.note(e.Source))
	}
	for _, t := range p.tracks {
		add(t.note(t.Source))
	}
	return notes
}

func (a *attribute) report() ExportReport {
	result := a.export.result
	r := ExportReport{
		Key: a.Key, Name: a.Name, Kind: a.Kind, Source: a.export.Source,
		Status: a.status, Reason: a.reason, AsOf: a.export.asOf,
		Rows: result.Rows, WithoutUserID: result.WithoutUserID, Invalid: result.Invalid,
		Unreadable: a.export.unreadable,
		New:        a.isNew,
		Members:    a.members + a.withheld, Entered: a.entered, Exited: a.exited, Changed: a.changed,
		Type: a.typeNow(), Withheld: a.withheld, Retyped: a.retyped,
		Damped: a.damped, CallsAlone: a.alone,
		Problems:   result.Problems,
		PassedOver: a.export.passedOver,
		Note:       keptKey(&a.export.Export.Export, a.Attribute),
	}
	if r.Status == StatusApplied {
		r.Reason = a.withheldReason()
	}
	if r.Status == StatusHeld {
		r.Exited, r.Members, r.Withheld, r.Retyped = r.Exited+r.Withheld, a.members, 0, 0
	}
	if len(result.Attributes) > a.index() {
		r.Invalid += result.Attributes[a.index()].Invalid
	}
	if r.Status == StatusUnchanged {
		r.unchanged(a.applied.Members)
	}
	return r
}

func (a *attribute) index() int { return slices.Index(a.export.attributes, a) }
