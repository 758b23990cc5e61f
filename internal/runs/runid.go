package runs

import (
	"fmt"
	"math/rand/v2"
	"time"
)

const idTime = "20060102T150405.000000Z"

// NewID returns an id that sorts by time, and behind a former one even if the clock was
// set back since.
func NewID(former string) string {
	at := time.Now().UTC()
	if next := Began(former).Add(time.Microsecond); at.Before(next) {
		at = next
	}
	return fmt.Sprintf("%s-%04x", at.Format(idTime), rand.N(1<<16))
}

// Began returns when the run with an id began, zero if the id is none.
func Began(id string) time.Time {
	at, err := time.Parse(idTime, id[:min(len(id), len(idTime))])
	if err != nil {
		return time.Time{}
	}
	return at
}
