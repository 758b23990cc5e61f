package sync

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule says when runs begin. The times between which it decides are slots.
type Schedule struct {
	text   string
	spec   cron.Schedule
	jitter time.Duration
}

// ParseSchedule reads five fields as cron has them, or "@every 2h". They are times of
// the zone, such as Europe/Vienna; of the machine's if it is "". A run begins up to
// jitter after its slot.
func ParseSchedule(spec, zone string, jitter time.Duration) (Schedule, error) {
	if zone != "" {
		if _, err := time.LoadLocation(zone); err != nil {
			return Schedule{}, fmt.Errorf("there is no time zone %q: it takes a name such as Europe/Vienna", zone)
		}
		if strings.Contains(spec, "TZ=") {
			return Schedule{}, errors.New("the schedule names a time zone too: choose one")
		}
		spec = "CRON_TZ=" + zone + " " + spec
	}
	// The parser panics at a zone without anything behind it.
	zoneOnly := strings.Contains(spec, "TZ=") && !strings.Contains(strings.TrimSpace(spec), " ")
	parsed, err := cron.Schedule(nil), error(nil)
	if !zoneOnly {
		parsed, err = cron.ParseStandard(spec)
	}
	if zoneOnly || err != nil {
		return Schedule{}, errors.New(`it takes five fields as cron has them, such as "0 */2 * * *", or "@every 2h"`)
	}
	if parsed.Next(time.Now()).IsZero() {
		return Schedule{}, errors.New("there is no such day in the next five years")
	}
	return Schedule{spec, parsed, jitter}, nil
}

// String returns the schedule as it was written, with its time zone.
func (s Schedule) String() string { return s.text }

// Next returns the first slot after a time.
func (s Schedule) Next(after time.Time) time.Time { return s.spec.Next(after) }

// Delay returns how long after its slot a run begins.
func (s Schedule) Delay() time.Duration { return rand.N(s.jitter + 1) }

// Missed counts the slots after a time up to another one; a clock that jumps may make them
// very many, so it counts to a thousand.
func (s Schedule) Missed(after, until time.Time) int {
	n := 0
	for t := s.Next(after); n < 1000 && !t.IsZero() && !t.After(until); t = s.Next(t) {
		n++
	}
	return n
}
