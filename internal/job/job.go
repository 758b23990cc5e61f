// Package job has what a plan leaves to do, as plain data: all that a run which carries it out
// has to know of it beside the calls themselves, and beside what the state says by then.
//
// A [Job] does not change once the plan is made. It can be written down and read back, since it
// refers to nothing: attributes stand in it by their ids. What is to be stored before the first
// call, and what after the last one or when a run was cut short, its methods say.
package job

import (
	"bytes"
	"slices"
	"time"

	"gleapsync/gleap"
	"gleapsync/internal/push"
	"gleapsync/state"
)

// Job is what a plan leaves to do beside the calls.
type Job struct {
	Attributes []Attribute `json:"attributes"` // that the plan is about, in the order of the configuration
	Keys       []Key       `json:"keys"`       // by attribute id: all that calls may name
	Fields     []Field     `json:"fields"`     // by number of the contact field

	Epoch      uint64 `json:"epoch"`       // of the resync that the contacts take part in
	Whole      bool   `json:"whole"`       // an entry is all that is wanted of its contact
	Resend     bool   `json:"resend"`      // values of some attributes are sent again
	TakesTurns bool   `json:"takes_turns"` // the next run goes on behind this one
	// Before is what the run before left.
	Before state.Turns `json:"before"`
	// Files are those of change exports that are done once everything is delivered.
	Files  []state.DoneFile `json:"files"`
	Unpark []string         `json:"unpark"` // parked contacts of whom nothing is wanted any more
	// Costliest is what a report says if more changes come with every run than fit.
	Costliest string `json:"costliest"`
}

// Attribute is one that the plan is about.
type Attribute struct {
	ID          uint32             `json:"id"`
	Key         string             `json:"key"`
	Kind        string             `json:"kind"`
	Name        string             `json:"name"`
	Type        string             `json:"type"`
	Retired     bool               `json:"retired"`
	AsOf        time.Time          `json:"as_of"` // of the data that is about to be delivered; zero: there is none
	Computation *state.Computation `json:"computation"`

	Before    state.Applied `json:"before"`     // what the state said when the plan was made
	Left      int           `json:"left"`       // contacts that are to be told a value
	HasFields bool          `json:"has_fields"` // contact fields come along
	// Done is what counts once everything was delivered, but for the time; nil: nothing does.
	Done *state.Applied `json:"done"`
	// Rereads says that the plan does not look at the attribute, and wants of its export what it has of
	// contacts besides: it is to be read as a whole again.
	Rereads bool `json:"rereads,omitempty"`
	// CutShort is what counts as long as it was not; nil: nothing does.
	CutShort *state.Applied `json:"cut_short"`
}

// Key is an attribute as calls name it.
type Key struct {
	Key        string `json:"key"` // "": there is none of this id any more
	IsAudience bool   `json:"is_audience"`
	Source     string `json:"source"` // of the export that feeds it, "": none does
}

// Field is what happens to a contact field.
type Field struct {
	Before   bool `json:"before"`   // it was delivered as a whole before
	Delivers bool `json:"delivers"` // or is once all of its contacts are told
	Left     int  `json:"left"`     // contacts that are to be told it
}

// Begin returns the attributes as the state is to know them before the first call.
func (j *Job) Begin() []state.Attribute {
	var all []state.Attribute
	for _, a := range j.Attributes {
		if a.Rereads { // nothing is delivered of it: its time stays
			a.AsOf = a.Before.AsOf
		}
		all = append(all, state.Attribute{
			ID: a.ID, Key: a.Key, Kind: a.Kind, Type: a.Type, Name: a.Name, Retired: a.Retired,
			Applied: state.Applied{AsOf: a.AsOf}, Computation: a.Computation,
		})
	}
	return all
}

// Push returns the attributes as the push has to know them.
func (j *Job) Push() []push.Attribute {
	all := make([]push.Attribute, len(j.Keys))
	for id, k := range j.Keys {
		all[id] = push.Attribute{Key: k.Key, IsAudience: k.IsAudience}
	}
	return all
}

// Applied returns what the state is to remember of the attributes once everything was delivered;
// sent is nil then. Of a run that was cut short these are the attributes of which nothing is left
// over: else a new one would not count as delivered as long as others change more than fits.
func (j *Job) Applied(now time.Time, sent *push.Result) map[uint32]state.Applied {
	all := map[uint32]state.Applied{}
	for _, a := range j.Attributes {
		switch delivered := sent == nil || a.Left == sent.Told[a.ID] && !(a.HasFields && !j.toldFields(sent)); {
		case delivered && a.Done != nil:
			applied := *a.Done
			applied.At = now
			all[a.ID] = applied
		case !delivered && a.CutShort != nil: // this run counts too
			all[a.ID] = *a.CutShort
		}
	}
	return all
}

// toldFields reports whether all contact fields were told.
func (j *Job) toldFields(sent *push.Result) bool {
	for f, field := range j.Fields {
		if field.Left != sent.Fields[f] {
			return false
		}
	}
	return true
}

// FieldsAfter returns the contact fields that were delivered by now, nil if the state, which knows
// some, says the same.
func (j *Job) FieldsAfter(known []byte, sent *push.Result) []byte {
	fields := []byte{}
	for f, field := range j.Fields {
		now := field.Delivers && (sent == nil || field.Left == sent.Fields[f])
		if field.Before || now || bytes.IndexByte(known, byte(f)) >= 0 {
			fields = append(fields, byte(f))
		}
	}
	if known != nil && slices.Equal(fields, known) {
		return nil
	}
	return fields
}

// FieldCount is how many numbers of contact fields there are.
const FieldCount = int(gleap.LastPageView) + 1
