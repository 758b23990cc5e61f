package savedplan

import (
	"errors"
	"fmt"
	"time"

	"gleapsync/internal/job"
	"gleapsync/internal/planfile"
	"gleapsync/internal/push"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Plan is what a file has beside the contacts and what change exports said.
type Plan struct {
	ID      string    `json:"id"`
	Project string    `json:"project"`
	Made    time.Time `json:"made"`

	// State is what the state was like, nil if there was none.
	State    *state.Mark `json:"state"`
	Epoch    uint64      `json:"epoch"`    // of the state, not of the job
	Resynced uint64      `json:"resynced"` // the same
	LastRun  string      `json:"last_run"` // the run that the state had last, "": none
	Parked   []string    `json:"parked"`   // contacts that were parked

	// Gleap, BooleanAs and Events are the settings that matter for what is sent, and to whom.
	Gleap     string      `json:"gleap"`
	BooleanAs string      `json:"boolean_as"`
	Events    push.Events `json:"events"`

	Job      job.Job     `json:"job"`
	Report   runs.Report `json:"report"`
	Contacts int         `json:"contacts"` // how many there are in the file
	Said     int         `json:"said"`     // of how many it has what change exports said
	Fields   bool        `json:"fields"`   // contact fields are sent
}

// RefusedError says why a plan cannot be carried out any more. Nothing was sent, and nothing stored.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// again is what to do about a plan that cannot be carried out.
const again = "make a new one with gleapsync plan --save, and look at that"

// Refuse returns a [RefusedError] that says what changed since the plan was made.
func Refuse(format string, a ...any) error {
	return &RefusedError{"the plan is out of date: " + fmt.Sprintf(format, a...) + ": " + again}
}

var errPlan = errors.New("what it holds does not fit together")

// check makes sure that a plan can be used as it is: that nothing in it names what is not there.
func (p *Plan) check() error {
	if p.ID == "" || p.Project == "" || len(p.Job.Fields) != job.FieldCount || p.Contacts < 0 || p.Said < 0 {
		return errPlan
	}
	seen := map[uint32]bool{}
	for _, a := range p.Job.Attributes {
		if uint64(a.ID) >= uint64(len(p.Job.Keys)) || p.Job.Keys[a.ID].Key != a.Key || a.Key == "" || seen[a.ID] {
			return errPlan
		}
		seen[a.ID] = true
	}
	return nil
}

// checkEntry makes sure that an entry names only what the plan has.
func (p *Plan) checkEntry(e *planfile.Entry) error {
	if e.Empty() || len(e.Origins) != len(e.Attributes) {
		return errPlan
	}
	for _, c := range e.Attributes {
		if uint64(c.ID) >= uint64(len(p.Job.Keys)) || p.Job.Keys[c.ID].Key == "" {
			return errPlan
		}
	}
	for _, f := range e.Fields {
		if f.Field == 0 || int(f.Field) >= job.FieldCount {
			return errPlan
		}
	}
	return nil
}
