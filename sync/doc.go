// Package sync works out what changed and sends it.
//
// A [Runner] has a plan made and carries it out. A plan starts from a basis: what is wanted,
// and what the state says. The exports are read and sorted by user id (package inputs); what an
// export is, a snapshot or changes, its input alone knows. All of them are merged with the sorted
// records of the state, and with what else is known of contacts: in one pass on each processor over
// a span of the user ids, which sees each contact once with all that is wanted and all that is
// known. The differences go to a plan file (package planfile), sorted by their class: those who
// leave an audience, those who enter one, other changes, first deliveries. Counts for each attribute
// come out of the same passes. An export that a guard refuses (package guard) is held, and the merge
// is done again without it. Only then is the first call sent (package push); what Gleap acknowledges
// is committed to the state in batches.
//
// Who asks what will change ([Runner.Changes]) is shown the entries of the plan file, in the order
// of the push (planned.go). Only then rows are sorted with their lines, and entries say what Gleap has now.
//
// So the way is basis, inputs, merge, guard, plan. A file uses names of those before it on that
// way, and not of those behind it. The files of each step:
//
//   - basis: options.go, basis.go, recall.go
//   - inputs: package inputs
//   - merge: attribute.go (what it finds of one), merge.go, cursor.go, pass.go; for one contact
//     contact.go, diff.go, fields.go, damping.go, news.go, class.go, known.go, former.go
//   - guard: who would leave (leaving.go), of an export that was not read to its end (withhold.go);
//     planner.go asks the rules of package guard
//   - plan: plan.go, findings.go, rowlists.go; planner.go takes all these steps, prepare.go adds
//     the report (report.go)
//   - work: job.go, what a run has to carry out: the job that a plan leaves (package job), and the
//     calls
//   - push: absorb.go and delete.go before it, push.go, deliveries.go and convergence.go after it;
//     carrier.go and run.go are the run as a whole, running.go says how it goes
//
// The commands stand on top (runner.go). There are more than plan and sync. [Runner.Baseline]
// takes what a sync would send as delivered, and [Runner.Retire] tells the members of an attribute
// that nothing feeds any more that they left it, and forgets the attribute (retire.go). [Runner.Held]
// says who would leave what is held (held.go), and [Runner.AskNext] what the next run would do with
// one contact (next.go). [Runner.Save] writes
// a plan to a file, and [Runner.CarryOut] sends what is left of one (saved.go, package
// savedplan). Without a plan, [Runner.Forget] deletes contacts (forget.go), [Runner.Ask] makes
// one request that belongs to no run (pace.go), and [AskExports] reads what the exports say of
// one contact (ask.go).
//
// Invariants: a call carries wanted minus known and nothing else; a contact that
// nobody says anything about gets no call; the record of a contact changes only after
// Gleap acknowledged; whatever is merged comes in the order of the user ids, or the merge fails.
package sync
