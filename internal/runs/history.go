package runs

import "time"

// History is what all runs of a state together did. It only grows, also when the oldest
// reports are dropped.
type History struct {
	Runs        map[Outcome]int `json:"runs"`
	Calls       CallCounts      `json:"calls"`
	Events      EventTotals     `json:"events"`
	LastSuccess *Summary        `json:"last_success"` // the last sync that delivered everything of all exports
}

// EventTotals counts events over all runs.
type EventTotals struct {
	Sent    int `json:"sent"`    // acknowledged
	Refused int `json:"refused"` // by Gleap
}

// Add counts one more run.
func (h *History) Add(r Summary) {
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
	if r.IsWhole() && r.Outcome == Complete {
		h.LastSuccess = &r
	}
}

// doubt drops a success that lies ahead. A clock was wrong then, and nobody knows when it was:
// what watches its age would be quiet until then.
func (h *History) doubt(now time.Time) {
	if h.LastSuccess != nil && h.LastSuccess.Finished.After(now.Add(MaxAhead)) {
		h.LastSuccess = nil
	}
}

// MaxAhead is how far the time of an export's data may be ahead of this machine's clock
// before that is worth a word.
const MaxAhead = time.Hour
