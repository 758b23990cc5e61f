package sync

import (
	"fmt"
	"slices"

	"gleapsync/internal/runs"
	"gleapsync/state"
)

// convergence returns what a report says if more changes come with every run than fit; its plan
// knows what costs most. A run of some exports says what the last whole sync said.
func convergence(store *state.Store, costliest string, report *runs.Report) (string, error) {
	const few = 20 // among them are three whole syncs, or nobody knows
	all, err := runs.Summaries(store, few)
	if err != nil {
		return "", err
	}
	all = slices.DeleteFunc(all, func(s runs.Summary) bool { return !s.IsWhole() })
	switch present := report.Summary(); {
	case present.IsWhole():
		all = slices.Insert(all, 0, present)
	case report.Command == "plan":
	case len(all) > 0:
		return all[0].Convergence, nil
	}
	if runs.Converges(all) {
		return "", nil
	}
	return costliest, nil
}

// costliest says, if more changes come with every run than fit, which attribute costs most of the calls.
func costliest(p *plan) string {
	calls := 0
	for class, planned := range p.file.Counts() {
		if runs.Class(class).IsDelta() {
			calls += planned.Calls
		}
	}
	var most *attribute
	for _, a := range p.attributes {
		if a.aloneDelta > 0 && (most == nil || a.aloneDelta > most.aloneDelta) {
			most = a
		}
	}
	if most == nil || calls == 0 {
		return "does not converge: more changes come with every run than fit"
	}
	return fmt.Sprintf("does not converge: %s alone costs %d %% of the calls", most.Key, (100*most.aloneDelta+calls/2)/calls)
}
