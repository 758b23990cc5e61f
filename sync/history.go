package sync

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"gleapsync/state"
)

// History is what all runs of a state together did. It only grows, also when the oldest
// reports are dropped.
type History struct {
	Runs        map[Outcome]int `json:"runs"`
	Calls       CallCounts      `json:"calls"`
	Events      EventTotals     `json:"events"`
	LastSuccess *RunSummary     `json:"last_success"` // the last sync that delivered everything of all exports
}

// EventTotals counts events over all runs.
type EventTotals struct {
	Sent    int `json:"sent"`    // acknowledged
	Refused int `json:"refused"` // by Gleap
}

// add counts one more run.
func (h *History) add(r RunSummary) {
	if h.Runs == nil {
		h.Runs = map[Outcome]int{}
	}
	h.Runs[r.Outcome]++
	h.Calls.Identify += r.Calls.Identify
	h.Calls.Track += r.Calls.Track
	h.Calls.Refused += r.Calls.Refused
	h.Calls.Retried += r.Calls.Retried
	h.Calls.RateLimited += r.Calls.RateLimited
	h.Events.Sent += r.Events.Sent
	h.Events.Refused += r.Events.Refused
	if r.Command == "sync" && len(r.Only) == 0 && r.Outcome == Complete {
		h.LastSuccess = &r
	}
}

// readHistory returns the history of a state. For a file of a version that kept none, it
// is that of the reports in it.
func readHistory(store *state.Store, o state.Overview) (History, error) {
	var h History
	if o.History != nil {
		if err := json.Unmarshal(o.History, &h); err != nil {
			return h, fmt.Errorf("the history of the runs cannot be decoded: %w", err)
		}
		h.doubt(time.Now())
		return h, nil
	}
	runs, err := readRuns(store, math.MaxInt)
	for i := range runs {
		h.add(runs[len(runs)-1-i])
	}
	h.doubt(time.Now())
	return h, err
}

// doubt drops a success that lies ahead. A clock was wrong then, and nobody knows when it was:
// what watches its age would be quiet until then.
func (h *History) doubt(now time.Time) {
	if h.LastSuccess != nil && h.LastSuccess.Finished.After(now.Add(maxAhead)) {
		h.LastSuccess = nil
	}
}
