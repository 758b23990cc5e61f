package sync

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
)

// Options are a runner's settings.
type Options struct {
	Project     string
	Exports     []Export
	Fields      []Field
	Guard       Guard
	Memory      int64         // bytes for sorting
	TempDir     string        // for what does not fit, and for the plan
	Deadline    time.Duration // of a run, 0: none
	Rate        int           // requests per Window, 0: no limit; for estimates
	Window      time.Duration
	Concurrency int // calls at a time
	BooleanAs   gleap.BooleanAs
	Events      Events
	Tracks      []Track
}

// Export is a source of rows, what it feeds and what guards it.
type Export struct {
	engage.Export
	KeepAbsent   bool          // a user who is not in it stays in its audiences
	ClearMissing bool          // a user who is not in it loses its traits
	MaxExits     *Limit        // nil: Guard.MaxExits
	MaxAge       time.Duration // 0: any
	NoFields     bool          // contact fields are not taken from it
	Membership   bool          // that contacts enter and leave its audiences are events
	IgnoreBroken bool          // exits and clears go although rows could not be read
	// Damping has, by name, the traits of which not every change is sent; "" stands for those
	// that it does not name.
	Damping map[string]Damping
}

// Damping says which changes of a trait's values are not worth a call of their own. They go
// along when the contact is called for something else.
type Damping struct {
	MinInterval time.Duration // between two calls of one contact for the trait, 0: none
	Tolerance   Tolerance     // smaller changes of a number are none
}

// Tolerance is a share of the value that was sent last, or an amount. The zero Tolerance
// tolerates nothing.
type Tolerance struct {
	Share  float64 // of 1
	Amount float64
}

// Events says which changes are told as events too, and how events are sent.
type Events struct {
	Entered, Exited, Computed string        // the names of what is told of audiences and traits
	Traits                    []string      // names, keys or patterns: traits of which each new value is an event
	Backfill                  bool          // the first full sync and a full resync make events too
	Batch                     int           // events in one request at most
	Remember                  time.Duration // how long a message of an event export is known, so that it does not count twice
}

// Track is an export of events: of track, page and screen calls.
type Track struct {
	engage.Export
	Names  []string      // of events that are taken, compared as Gleap does; nil: all
	Keys   []string      // properties that are sent; nil: the first ones, as many as Gleap takes
	Since  time.Time     // events from before are not sent; zero: all are
	MaxAge time.Duration // of the newest file, 0: any
}

// Guard holds the limits past which an export is not believed.
type Guard struct {
	MaxExits   Limit // of the members that an attribute has
	MinExits   int   // fewer exits than this never trip MaxExits
	MaxInvalid Limit // of an export's rows
}

// Field says which column feeds one of Gleap's contact fields. The name may have two,
// the first and the last one.
type Field struct {
	Field   gleap.Field
	Columns []string
}

// Limit is a share of a whole, or a count.
type Limit struct {
	share float64 // of 1; used if percent
	count int
	isPct bool
}

// ParseLimit reads "30%", "0.5%" or a count such as "500".
func ParseLimit(text string) (Limit, error) {
	if number, ok := strings.CutSuffix(strings.TrimSpace(text), "%"); ok {
		percent, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(percent >= 0 && percent <= 100) {
			return Limit{}, errors.New(`a limit is a share such as "30%" or a count such as 500`)
		}
		return Limit{share: percent / 100, isPct: true}, nil
	}
	count, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || count < 0 {
		return Limit{}, errors.New(`a limit is a share such as "30%" or a count such as 500`)
	}
	return Limit{count: count}, nil
}

// Of returns the most that the limit allows of a whole.
func (l Limit) Of(whole int) int {
	if l.isPct {
		return int(math.Floor(l.share*float64(whole) + 1e-9))
	}
	return l.count
}

// String returns the limit as it is written in the configuration.
func (l Limit) String() string {
	if l.isPct {
		return strconv.FormatFloat(l.share*100, 'f', -1, 64) + "%"
	}
	return fmt.Sprint(l.count)
}

// columns returns the export columns of all contact fields, as [engage.Export.Fields]
// wants them.
func columns(fields []Field) []string {
	var all []string
	for _, f := range fields {
		all = append(all, f.Columns...)
	}
	return all
}
