package sync

import (
	"time"

	"gleapsync/state"
)

// stateAttributes returns the attributes as the state is to know them.
func (p *plan) stateAttributes() []state.Attribute {
	var all []state.Attribute
	for _, a := range p.attributes {
		s := state.Attribute{ID: a.id, Key: a.Key, Kind: string(a.Kind), Name: a.Name, Retired: a.retired}
		if a.active() {
			s.Type = string(a.typ)
			s.Applied.AsOf, s.Computation = a.export.asOf, a.computation
		}
		all = append(all, s)
	}
	return all
}

// applied returns, for the attributes of this run, what the state is to remember
// once everything was delivered. Of a run that was cut short these are the attributes of
// which nothing is left over: else a new one would not count as delivered as long as others
// change more than fits. An export of which something is left for another run has no
// fingerprint: it has to be read again.
func (p *plan) applied(now time.Time, everything bool) map[uint32]state.Applied {
	all := map[uint32]state.Applied{}
	for _, a := range p.attributes {
		again := p.postponed || a.export.result.HasFields && p.fieldsPostponed || a.withheld > 0
		delivered := everything || a.left == 0 && !(a.export.result.HasFields && p.hasFieldsLeft())
		if a.active() && !delivered && a.withheld > 0 { // this run counts too
			before := a.applied
			before.Fingerprint, before.AsOf = "", a.export.asOf
			before.Parts, before.IDParts = a.mostParts()
			before.WithheldRuns++
			all[a.id] = before
		}
		if a.active() && !a.retired && delivered {
			fingerprint := a.export.fingerprint
			if again {
				fingerprint = ""
			}
			applied := state.Applied{
				Fingerprint: fingerprint, AsOf: a.export.asOf, At: now,
				Members: a.members + a.withheld, HasFields: a.export.result.HasFields, Due: a.due,
			}
			applied.Parts, applied.IDParts = a.export.parts()
			if a.withheld > 0 || a.export.missing != "" && a.absence != "" { // what is missing may come yet
				applied.Parts, applied.IDParts = a.mostParts()
			}
			if a.withheld > 0 {
				applied.WithheldRuns = a.applied.WithheldRuns + 1
			}
			all[a.id] = applied
		}
	}
	return all
}

// mostParts returns how many parts the export has or had when it was applied last, whatever
// is more: where not all that stands in them counted, fewer of them later must not.
func (a *attribute) mostParts() (parts, ids int) {
	parts, ids = a.export.parts()
	return max(parts, a.applied.Parts), max(ids, a.applied.IDParts)
}
