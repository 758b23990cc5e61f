package push

import (
	"encoding/json"
	"fmt"
	"time"

	"gleapsync/gleap"
)

// pace is what one run leaves for the next one, so that the rate limit holds across
// runs and across crashes.
type pace struct {
	Running bool `json:"running"` // the run goes on, or was killed
	gleap.History
}

// pacer is a client that knows what Gleap has seen.
type pacer interface{ Seen() gleap.History }

// resumer is a client that can be told what Gleap has seen of others.
type resumer interface{ Resume(gleap.History) }

// Pace returns what the state is to have of the pace, while a run goes on or at its end.
func Pace(c pacer, running bool) []byte {
	text, err := json.Marshal(pace{running, c.Seen()})
	if err != nil { // times and numbers always marshal
		panic(err)
	}
	return text
}

// Resume tells the client what Gleap has seen of earlier runs, as [Pace] left it. Of a run that
// was killed nobody knows what it sent in the end: so many requests count as seen just now.
func Resume(c resumer, left []byte, unaccounted int) error {
	var before pace
	if err := json.Unmarshal(left, &before); err != nil {
		return fmt.Errorf("the pace of the last run cannot be decoded: %w", err)
	}
	if before.Running && unaccounted > 0 {
		before.Unknown = unaccounted
	}
	c.Resume(before.History)
	return nil
}

// longestCommit is how long a run that was killed may have gone on sending after it wrote its
// pace: commits are half a second apart, but one may take long.
const longestCommit = 10 * time.Second

// Unaccounted returns how many requests a run that was killed may have made after it wrote its pace.
func Unaccounted(rate int, window time.Duration, concurrency int) int {
	if window <= 0 { // there is no limit
		return 0
	}
	return int(int64(rate)*int64(min(longestCommit, window))/int64(window)) + concurrency
}
