package sync

import (
	"fmt"
	"slices"

	"gleapsync/internal/runs"
)

// convergence returns what a report says if more changes come with every run than fit; p is
// its plan, which knows what they cost. A run of some exports says what the last whole sync
// said.
func (r *Runner) convergence(p *plan, report *runs.Report) (string, error) {
	const few = 20 // among them are three whole syncs, or nobody knows
	all, err := runs.Summaries(r.store, few)
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
	if converges(all) {
		return "", nil
	}
	return p.costliest(), nil
}

// converges reports whether the changes that the last three of some runs left over got less,
// the latest first. What a run left that was stopped or that Gleap did not answer says
// nothing of that.
func converges(all []runs.Summary) bool {
	if len(all) < 3 {
		return true
	}
	var left [3]int
	for i, run := range all[:3] {
		for _, c := range run.Classes {
			if c.Class.IsDelta() {
				left[i] += c.Left
			}
		}
		if left[i] == 0 || run.Outcome != runs.Partial {
			return true
		}
	}
	return left[0] < left[2]
}

// costliest names the attribute that costs most of the calls.
func (p *plan) costliest() string {
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
	if most == nil {
		return "does not converge: more changes come with every run than fit"
	}
	return fmt.Sprintf("does not converge: %s alone costs %d %% of the calls", most.Key, (100*most.aloneDelta+calls/2)/calls)
}
