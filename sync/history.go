package sync

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"gleapsync/internal/runs"
	"gleapsync/state"
)

// readHistory returns the history of a state. For a file of a version that kept none, it
// is that of the reports in it.
func readHistory(store *state.Store, o state.Overview) (runs.History, error) {
	var h runs.History
	if o.History != nil {
		if err := json.Unmarshal(o.History, &h); err != nil {
			return h, fmt.Errorf("the history of the runs cannot be decoded: %w", err)
		}
		h.Doubt(time.Now())
		return h, nil
	}
	all, err := readRuns(store, math.MaxInt)
	for i := range all {
		h.Add(all[len(all)-1-i])
	}
	h.Doubt(time.Now())
	return h, err
}
