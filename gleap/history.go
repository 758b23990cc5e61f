package gleap

import "time"

// History is what Gleap has seen of a client within one window of the rate limit, for the
// [Client.Resume] of the next one. It outlives the process, so its times are those of the
// wall clock, which may be wrong or be set in between; where the system tells how long ago
// it was started, that goes first.
type History struct {
	At        time.Time     `json:"at,omitzero"`         // when this was noted; earlier versions had none
	Boot      string        `json:"boot,omitempty"`      // which start of which system that was in
	SinceBoot time.Duration `json:"since_boot,omitzero"` // how long after it
	Seen      []Seen        `json:"seen"`

	// Unknown are further requests of which nobody knows when Gleap saw them: they count
	// as seen just now.
	Unknown int `json:"-"`
}

// Seen says how many requests Gleap saw up to a time, since the one before.
type Seen struct {
	At    time.Time `json:"at"`
	Count int       `json:"count"`
}

// moment is one point of time by all clocks that there are.
type moment struct {
	wall      time.Time
	boot      string // "": the system does not tell
	sinceBoot time.Duration
}

func thisMoment() moment {
	boot, since := sinceBoot()
	return moment{time.Now().UTC().Round(0), boot, since}
}

// newHistory notes at a moment what Gleap saw before it.
func newHistory(seen []past, now moment) History {
	if len(seen) == 0 {
		return History{} // the same at each moment
	}
	h := History{At: now.wall, Boot: now.boot, SinceBoot: now.sinceBoot}
	for _, s := range seen {
		h.Seen = append(h.Seen, Seen{now.wall.Add(-s.age), s.count})
	}
	return h
}

// past returns how long ago Gleap saw what is in h. If the clocks say that h was noted in
// the future, one of them is wrong, and all of it counts as seen just now: that costs
// waiting for a window.
func (h History) past(now moment) []past {
	noted := h.At
	if noted.IsZero() {
		for _, s := range h.Seen {
			if s.At.After(noted) {
				noted = s.At
			}
		}
	}
	const long = 1 << 61 // two of them are still a duration
	since := min(h.since(noted, now), long)
	var all []past
	for _, s := range h.Seen {
		age := time.Duration(0)
		if since >= 0 {
			age = min(max(0, noted.Sub(s.At)), long) + since
		}
		all = append(all, past{age, s.Count})
	}
	if h.Unknown > 0 {
		all = append(all, past{0, h.Unknown})
	}
	return all
}

// since returns how much time has passed since h was noted, at least.
func (h History) since(noted time.Time, now moment) time.Duration {
	wall := now.wall.Sub(noted)
	switch {
	case now.boot == "":
		return wall
	case now.boot == h.Boot:
		return now.sinceBoot - h.SinceBoot
	}
	// The system was started since, or it is another one: the wall clock alone can tell, and
	// what it says cannot be more than the time since the start if it is the same.
	return min(wall, now.sinceBoot)
}
