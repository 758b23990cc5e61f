// Package schedule says when runs begin that gleapsync begins by itself, and reads the durations
// of the configuration.
package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule says when runs begin. The times between which it decides are slots.
type Schedule struct {
	text   string
	spec   cron.Schedule
	jitter time.Duration
	share  float64 // of the spread: see [Schedule.Spread]
}

// Parse reads five fields as cron has them, or "@every 2h". They are times of
// the zone, such as Europe/Vienna; of the machine's if it is "". A run begins up to
// jitter after its slot.
func Parse(spec, zone string, jitter time.Duration) (Schedule, error) {
	fields := strings.Fields(spec)
	spec = strings.Join(fields, " ")
	if zone != "" {
		if _, err := time.LoadLocation(zone); err != nil {
			return Schedule{}, fmt.Errorf("there is no time zone %q: it takes a name such as Europe/Vienna", zone)
		}
		if strings.Contains(spec, "TZ=") {
			return Schedule{}, errors.New("the schedule names a time zone too: choose one")
		}
		spec = "CRON_TZ=" + zone + " " + spec
		fields = strings.Fields(spec)
	}
	// The parser panics at a zone without anything behind it.
	zoneOnly := strings.Contains(spec, "TZ=") && len(fields) == 1
	parsed, err := cron.Schedule(nil), error(nil)
	if !zoneOnly {
		parsed, err = cron.ParseStandard(strings.Join(forParser(fields), " "))
	}
	if zoneOnly || err != nil {
		return Schedule{}, errors.New(`it takes five fields as cron has them, such as "0 */2 * * *", or "@every 2h"`)
	}
	if parsed.Next(time.Now()).IsZero() {
		return Schedule{}, errors.New("there is no such day in the next five years")
	}
	return Schedule{text: spec, spec: parsed, jitter: jitter}, nil
}

// forParser writes the fields of a schedule as the parser wants them: it knows neither days
// in durations nor 7 as a day of the week.
func forParser(fields []string) []string {
	fields = slices.Clone(fields)
	last := len(fields) - 1
	if last >= 1 && fields[last-1] == "@every" {
		d, err := ParseDuration(fields[last])
		if fields[last] = d.String(); err != nil {
			fields[last] = "" // the parser would make a second of "0s"
		}
	}
	if last >= 4 {
		parts := strings.Split(fields[last], ",")
		for i := range parts {
			parts[i] = withoutSeven(parts[i])
		}
		fields[last] = strings.Join(parts, ",")
	}
	return fields
}

// withoutSeven writes a day of the week, or several from-to/step, that end with 7 as a list
// in which Sunday is 0. What it cannot read it leaves to the parser.
func withoutSeven(days string) string {
	span, step, stepped := strings.Cut(days, "/")
	from, to, isSpan := strings.Cut(span, "-")
	if !isSpan {
		to = from
	}
	first := slices.Index([]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, strings.ToLower(from))
	if first < 0 {
		var err error
		if first, err = strconv.Atoi(from); err != nil || first < 0 {
			return days
		}
	}
	every := 1
	if stepped {
		var err error
		if every, err = strconv.Atoi(step); err != nil || every < 1 {
			return days
		}
	}
	if to != "7" || first > 7 {
		return days
	}
	var all []string
	for day := first; day <= 7; day += every {
		all = append(all, strconv.Itoa(day%7))
	}
	return strings.Join(all, ",")
}

var days = regexp.MustCompile(`^\d+(\.\d+)?d`)

// ParseDuration reads a duration as Go has it, with d for days before all else: 90s, 2h,
// 90d, 1d12h.
func ParseDuration(text string) (time.Duration, error) {
	hours := days.ReplaceAllStringFunc(text, func(match string) string {
		n, _ := strconv.ParseFloat(strings.TrimSuffix(match, "d"), 64)
		return strconv.FormatFloat(24*n, 'f', -1, 64) + "h"
	})
	d, err := time.ParseDuration(hours)
	if err != nil || d <= 0 {
		return 0, errors.New("it takes a duration such as 90s, 2h or 90d")
	}
	return d, nil
}

// String returns the schedule as it was written, with its time zone.
func (s Schedule) String() string { return s.text }

// Next returns the first slot after a time.
func (s Schedule) Next(after time.Time) time.Time { return s.spec.Next(after) }

// Spread returns the schedule for one of several projects that have the same slots: its runs
// begin later by what follows from its name, always the same.
func (s Schedule) Spread(name string) Schedule {
	sum := sha256.Sum256([]byte(name))
	s.share = float64(binary.BigEndian.Uint32(sum[:])) / (1 << 32)
	return s
}

// mostSpread is how much later a run begins at most than its slot since others have that too.
const mostSpread = 10 * time.Minute

// Delay returns how long after its slot a run begins.
func (s Schedule) Delay(slot time.Time) time.Duration {
	spread := min(mostSpread, s.Next(slot).Sub(slot)/10)
	return time.Duration(s.share*float64(max(0, spread))) + rand.N(s.jitter+1)
}

// Missed counts the slots after a time up to another one; a clock that jumps may make them
// very many, so it counts to a thousand.
func (s Schedule) Missed(after, until time.Time) int {
	n := 0
	for t := s.Next(after); n < 1000 && !t.IsZero() && !t.After(until); t = s.Next(t) {
		n++
	}
	return n
}
