package sync

import (
	"encoding/json"
	"fmt"
	"time"

	"gleapsync/internal/runs"
	"gleapsync/state"
)

// announce tells others from now on how the run goes on, until stop is called.
func announce(store *state.Store, meter *runs.Meter, run, command string, started time.Time) (stop func()) {
	say := func(p runs.Progress) {
		store.Say(state.Running{Run: run, Command: command, Started: started, Phase: p.Phase, Done: p.Done, Total: p.Total, At: time.Now().UTC()})
	}
	meter.Also(say)
	return func() { meter.Also(nil) }
}

// reportLost stores a report of the run before if it was lost: what is not in the list of runs
// nobody looks for.
func (r *Runner) reportLost() error {
	lost, err := state.Lost(r.store)
	if err != nil || lost == nil || !r.store.Exists() {
		return err
	}
	report := runs.Report{
		Run: lost.Run, Command: lost.Command, Project: r.o.Project, Started: lost.Started, Finished: lost.Last, Outcome: runs.Lost,
		Error:    "the run ended without a word: it was killed, or its machine was. This is what Gleap had acknowledged",
		Exports:  []runs.ExportReport{},
		Contacts: runs.ContactCounts{Sent: lost.Contacts}, Calls: runs.CallCounts{Identify: lost.Calls, Refused: lost.Parked},
	}
	overview, err := r.store.Overview()
	if err != nil {
		return err
	}
	history, err := historyWith(r.store, overview, report)
	if err != nil {
		return err
	}
	text, err := json.Marshal(report)
	if err == nil {
		err = state.KeepLost(r.store, lost.Run, text, history)
	}
	if err != nil {
		return fmt.Errorf("store the report of a run that was lost: %w", err)
	}
	r.log.Warn("the run before was lost", "run", lost.Run, "command", lost.Command, "contacts", lost.Contacts, "calls", lost.Calls)
	return nil
}
