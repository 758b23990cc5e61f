package runs

import (
	"encoding/json"
	"fmt"
	"time"

	"gleapsync/state"
)

// NextID returns an id behind those of all runs of a state.
func NextID(store *state.Store) string {
	if last, err := Summaries(store, 1); err == nil && len(last) > 0 {
		return NewID(last[0].Run)
	}
	return NewID("")
}

// HistoryWith returns a state's history with one run more, as the state keeps it.
func HistoryWith(store *state.Store, o state.Overview, r Report) ([]byte, error) {
	h, err := HistoryOf(store, o)
	if err != nil {
		return nil, err
	}
	h.Add(r.Summary())
	return json.Marshal(h)
}

// keep stores a report in a state, and nothing else. Hold [state.Store.Lock].
func keep(store *state.Store, r Report) error {
	o, err := store.Overview()
	if err != nil {
		return err
	}
	history, err := HistoryWith(store, o, r)
	if err != nil {
		return err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return state.KeepReport(store, r.Run, text, history)
}

// KeepLost stores a report of the run before if it was lost, and returns it: what is not in the
// list of runs nobody looks for. It is nil if there is none. Hold [state.Store.Lock].
func KeepLost(store *state.Store, project string) (*Report, error) {
	lost, err := state.Lost(store)
	if err != nil || lost == nil {
		return nil, err
	}
	report, err := ofLost(store, *lost, project)
	if err != nil {
		return nil, err
	}
	if err := keep(store, report); err != nil {
		return nil, fmt.Errorf("store the report of a run that was lost: %w", err)
	}
	return &report, nil
}

// Done keeps a report of what a command did to a state without a plan, if it did anything. Hold
// [state.Store.Lock].
func Done(store *state.Store, r Report, err error) error {
	if *r.Touched == (Touched{}) {
		return nil
	}
	r.Mode, r.Outcome, r.Finished, r.Exports = Incremental, Complete, time.Now().UTC().Truncate(time.Millisecond), []ExportReport{}
	if err != nil {
		r.Outcome, r.Error = Failed, err.Error()
	}
	if err := keep(store, r); err != nil {
		return fmt.Errorf("what %s did is done, and is not in the list of runs: %w", r.Command, err)
	}
	return nil
}

// FindLost returns the report of a run that was lost, as long as no other run has stored it; nil
// if there is none. It needs no lock.
func FindLost(store *state.Store, project string) (*Report, error) {
	lost, err := state.FindLost(store)
	if err != nil || lost == nil {
		return nil, err
	}
	report, err := ofLost(store, *lost, project)
	return &report, err
}

func ofLost(store *state.Store, lost state.LostRun, project string) (Report, error) {
	o, err := store.Overview()
	if err != nil {
		return Report{}, err
	}
	mode := Incremental
	switch {
	case lost.Command == "baseline":
		mode = Assuming
	case lost.Command == "forget": // it compares nothing
	case o.Resynced == 0:
		mode = First
	case o.Resynced < o.Epoch:
		mode = Full
	}
	return Report{
		Mode: mode,
		Run:  lost.Run, Command: lost.Command, Project: project, Started: lost.Started, Finished: lost.Last, Outcome: Lost,
		Error:    "the run ended without a word: it was killed, or its machine was. This is what Gleap had acknowledged",
		Exports:  []ExportReport{},
		Contacts: ContactCounts{Sent: lost.Contacts}, Calls: CallCounts{Identify: lost.Calls, Refused: lost.Parked},
	}, nil
}
