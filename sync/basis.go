package sync

import (
	"slices"

	"gleapsync/gleap"
	"gleapsync/internal/inputs"
	"gleapsync/state"
)

// basis is what a plan starts from: what the inputs start from, and what the merge has to know
// besides. It does not change while the plan is made and carried out.
type basis struct {
	*inputs.Basis
	o         Options
	forgotten *state.Forgotten

	turns        state.Turns                  // what the run before left
	takesTurns   bool                         // and the next run goes on behind this one
	fieldsBefore [gleap.LastPageView + 1]bool // contact fields that were delivered before
}

// recallFields finds out which contact fields were delivered before. One counts as delivered
// once an export of it was delivered as a whole, as an attribute does. The state has a list
// of those that were.
func (b *basis) recallFields() {
	for _, f := range b.Overview.Fields {
		if int(f) < len(b.fieldsBefore) {
			b.fieldsBefore[f] = true
		}
	}
	if b.Overview.Fields != nil || !slices.ContainsFunc(b.Overview.Attributes, func(a state.Attribute) bool { return a.Applied.HasFields && !a.Applied.At.IsZero() }) {
		return
	}
	for _, f := range b.o.Fields {
		b.fieldsBefore[f.Field] = true
	}
}
