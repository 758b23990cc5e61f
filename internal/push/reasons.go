package push

import (
	"log/slog"
	"maps"
	"slices"
)

// reasons logs why Gleap refuses: at once the first time, and how often in all at the end. One
// column that is wrong can park every contact.
type reasons struct {
	what string // that is parked
	n    map[string]int
}

func (r *reasons) add(log *slog.Logger, reason string) {
	if r.n == nil {
		r.n = map[string]int{}
	}
	if r.n[reason]++; r.n[reason] == 1 {
		log.Warn("Gleap refused "+r.what+", which is parked", "reason", reason)
	}
}

func (r *reasons) end(log *slog.Logger) {
	for _, reason := range slices.Sorted(maps.Keys(r.n)) {
		if n := r.n[reason]; n > 1 {
			log.Warn("Gleap refused more than one for the same reason", "what", r.what, "times", n, "reason", reason)
		}
	}
}
