package sync

import (
	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/damping"
	"gleapsync/internal/inputs"
)

// attribute is an attribute in a plan: that of an input, and what the merge finds of it.
type attribute struct {
	*inputs.Attribute
	absence string // why its exits and clears are withheld, "": they go
	damping damping.Rule
	counts  bool // active, while a merge goes on
	merged  bool // a merge counted it, whatever became of it
	events  bool // and its changes are told as events
	waited  bool // its export did not change: who has no record was left out before
	tally
}

// attributeList has the attributes of a plan.
type attributeList struct {
	attributes []*attribute   // in the order of the configuration
	byID       []attributeRef // all that the state knows or will know
}

// attributeRef is an attribute by its id. Those that are in no export any more have
// a key only, and those that are gone nothing.
type attributeRef struct {
	key       string
	attribute *attribute
}

// attributesOf returns the attributes that the inputs feed.
func attributesOf(in *inputs.Inputs) (l attributeList) {
	for _, key := range in.KeysByID() {
		l.byID = append(l.byID, attributeRef{key: key})
	}
	for _, fed := range in.Fed {
		a := &attribute{Attribute: fed}
		l.attributes = append(l.attributes, a)
		l.byID[a.ID].attribute = a
	}
	return l
}

func (l *attributeList) attribute(id uint32) *attribute {
	if int(id) >= len(l.byID) {
		return nil
	}
	return l.byID[id].attribute
}

// leaves reports whether a wanted value of the attribute ends a membership or a value.
func (a *attribute) leaves(want attr.Value) bool {
	switch want.Kind() {
	case attr.Null:
		return a.Kind == engage.Trait
	case attr.False:
		return a.Kind != engage.Trait
	}
	return false
}

// isSilent reports whether all members are in the export's rows, which say nothing of any of them.
func (a *attribute) isSilent() bool {
	return a.kept == a.before && a.exited+a.withheld == 0 && !a.Input.Result.Sparse
}

// count counts a change to what is wanted.
func (n *moves) count(a *attribute, want attr.Value) {
	switch {
	case a.leaves(want):
		n.exited++
	case a.Kind == engage.Trait:
		n.changed++
	default:
		n.entered++
	}
}
