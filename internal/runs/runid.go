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
	if len(former) > len(idTime) {
		before, err := time.Parse(idTime, former[:len(idTime)])
		if next := before.Add(time.Microsecond); err == nil && at.Before(next) {
			at = next
		}
	}
	return fmt.Sprintf("%s-%04x", at.Format(idTime), rand.N(1<<16))
}
