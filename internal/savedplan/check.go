package savedplan

import (
	"fmt"
	"slices"
	"strings"

	"gleapsync/gleap"
	"gleapsync/internal/job"
	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Settings are those of the run that carries a plan out.
type Settings struct {
	Project   string
	Gleap     string
	BooleanAs string
}

// Check returns why the plan does not fit a state as it is now, nil if it does. mark tells the state
// from others; nil: there is none.
func (p *Plan) Check(now Settings, o *state.Overview, mark *state.Mark) error {
	switch {
	case p.Project != now.Project:
		return &RefusedError{fmt.Sprintf("the plan is of another project, %q, and the configuration is of %q: name the configuration with which it was made", p.Project, now.Project)}
	case p.Gleap != now.Gleap:
		return Refuse("gleap.base_url or gleap.region names another Gleap now")
	case p.BooleanAs != now.BooleanAs:
		return Refuse("boolean_as was %q, and is %q now", p.BooleanAs, now.BooleanAs)
	case p.State != nil && (mark == nil || mark.ID != p.State.ID):
		return &RefusedError{"the plan was made with another state file: name the configuration with which it was made, or " + again}
	case p.State != nil && mark.Commits < p.State.Commits:
		return Refuse("the state file is an older copy of the one with which it was made")
	case o.Epoch != p.Epoch && o.Epoch != p.Job.Epoch:
		return Refuse("a full resync was asked for since")
	case o.Resynced != p.Resynced:
		return Refuse("a full resync was completed since")
	}
	if changed := p.changed(o); len(changed) > 0 {
		return Refuse("since then %s", strings.Join(changed, "; "))
	}
	return nil
}

// changed says what became of the attributes that the plan is about.
func (p *Plan) changed(o *state.Overview) []string {
	var applied, others []string
	for id, k := range p.Job.Keys {
		if id < len(o.Attributes) && k.Key != "" && o.Attributes[id].Key != k.Key {
			others = append(others, k.Key)
		}
	}
	for i := range p.Job.Attributes {
		a := &p.Job.Attributes[i]
		if a.AsOf.IsZero() && !a.Retired { // it is held: nothing of it is sent
			continue
		}
		var known state.Attribute
		if int(a.ID) < len(o.Attributes) {
			known = o.Attributes[a.ID]
		}
		elsewhere := slices.ContainsFunc(o.Attributes, func(b state.Attribute) bool { return b.Key == a.Key && b.ID != a.ID && !b.Gone() })
		switch {
		case elsewhere || known.Retired && !a.Retired || known.Key == "" && !a.Before.At.IsZero():
			others = append(others, a.Key)
		case !fits(known.Applied, a):
			applied = append(applied, a.Key)
		}
	}
	var all []string
	if len(applied) > 0 {
		all = append(all, "other data were applied, or are to be read again, of "+list(applied))
	}
	if len(others) > 0 {
		all = append(all, "the state came to know another attribute, or retired one, in the place of "+list(others))
	}
	return all
}

// list names a few of some keys.
func list(keys []string) string {
	const few = 5
	if len(keys) <= few {
		return strings.Join(keys, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(keys[:few], ", "), len(keys)-few)
}

// fits reports whether what the state says of an attribute is what it said when the plan was made,
// or what a run of the plan left.
func fits(now state.Applied, a *job.Attribute) bool {
	if isSame(now, a.Before) || a.Done != nil && isSame(now, withTime(*a.Done, now)) || a.CutShort != nil && isSame(now, *a.CutShort) {
		return true
	}
	begun := a.Before
	begun.Fingerprint = ""
	if isSame(now, begun) {
		return true
	}
	begun.AsOf = a.AsOf
	return isSame(now, begun)
}

// withTime returns a with the time of b: when it was delivered the plan did not know.
func withTime(a, b state.Applied) state.Applied {
	a.At = b.At
	return a
}

func isSame(a, b state.Applied) bool {
	same := a.AsOf.Equal(b.AsOf) && a.At.Equal(b.At) && a.Due.Equal(b.Due)
	a.AsOf, a.At, a.Due = b.AsOf, b.At, b.Due
	a.List = b.List // it decides nothing
	return same && a == b
}

// Completed returns an error if a run carried the plan out to its end.
func (p *Plan) Completed(r *runs.Report) error {
	if r.Plan == p.ID && (r.Outcome == runs.Complete || r.Outcome == runs.Held) {
		return &RefusedError{fmt.Sprintf("the plan is complete: the run %s carried it out. What changed since gleapsync sync sends", r.Run)}
	}
	return nil
}

// Concerned returns why the plan cannot be carried out after another run, nil if it can. A run that
// was lost left no file behind as done, so that what it said is read again.
func (p *Plan) Concerned(r *runs.Report) error {
	applied := slices.ContainsFunc(r.Exports, func(e runs.ExportReport) bool { return e.Status == runs.StatusApplied })
	switch sent := r.Contacts.Sent+r.Contacts.Assumed > 0; {
	case r.Plan == p.ID, r.Run <= p.LastRun, r.Outcome == runs.Lost:
	case p.Fields && sent:
		return Refuse("it has contact fields, and the run %s (%s) told contacts something since", r.Run, r.Command)
	case p.Said > 0 && (sent || applied):
		return Refuse("it has what change exports said, and the run %s (%s) applied some since", r.Run, r.Command)
	}
	return nil
}

// standing is how far a contact of a plan came.
type standing int

// The standings of a contact.
const (
	isOpen    standing = iota // something is left to tell
	isOver                    // everything was told, or parked
	isChanged                 // the state has something else than when the plan was made
)

// Known is what the state has of one contact.
type Known struct {
	Record     *state.Record
	Unanswered []state.Change                                // that Gleap may have besides
	Parked     *state.Parked                                 // nil: it is not parked
	FieldHash  func(field byte, text []byte) state.FieldHash // of the state
}

// stand returns how far a contact came, and how many of its attributes were told by calls that were
// acknowledged: these are no part of what is left. epoch is that of the plan's resync.
func stand(e *planfile.Entry, known Known, epoch uint64) (s standing, told int) {
	record := known.Record
	unanswered := func(id uint32) bool {
		return slices.ContainsFunc(known.Unanswered, func(c state.Change) bool { return c.ID == id })
	}
	again := len(record.Attributes)+len(record.Fields) > 0 && record.Epoch < epoch // the resync did not come to it yet
	for told < len(e.Attributes) && !again {
		c := e.Attributes[told]
		if !record.Find(c.ID).Value.Equal(c.Value) || unanswered(c.ID) {
			break
		}
		told++
	}
	fields := true
	for _, f := range e.Fields {
		fields = fields && slices.Contains(record.Fields, known.FieldHash(byte(f.Field), f.Text))
	}
	switch {
	case again || !fields:
		told = 0
	case told == len(e.Attributes):
		return isOver, told
	}
	told -= told % gleap.MaxAttributes // the calls of one contact have so many each
	for i, c := range e.Attributes[told:] {
		has := record.Find(c.ID).Value
		if old := e.Origins[told+i].Old; !has.Equal(old) && !(again && has.Equal(c.Value)) {
			return isChanged, 0
		}
	}
	if known.Parked != nil {
		left := *e
		left.CutTold(told)
		if known.Parked.Wanted == left.WantedHash() {
			return isOver, told
		}
	}
	return isOpen, told
}
