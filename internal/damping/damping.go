// Package damping says which changes of a trait's values are not worth a call of their own.
package damping

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"gleapsync/internal/attr"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Rule says which changes of a trait's values are not worth a call of their own. They go
// along when the contact is called for something else.
type Rule struct {
	MinInterval time.Duration // between two calls of one contact for the trait, 0: none
	Tolerance   Tolerance     // smaller changes of a number are none
}

// Tolerance is a share of the value that was sent last, or an amount. The zero Tolerance
// tolerates nothing.
type Tolerance struct {
	Share  float64 // of 1
	Amount float64
}

// Damps reports whether a change from what Gleap has to another value is not worth a call of
// its own. If that is so for its time only, due is when it will be.
func (d Rule) Damps(has state.Known, want attr.Value, now time.Time) (damps bool, due time.Time) {
	switch {
	case isNothing(has.Value) || isNothing(want):
		return false, time.Time{}
	case d.Tolerance.covers(has.Value, want):
		return true, time.Time{}
	case d.MinInterval <= 0:
		return false, time.Time{}
	}
	sent := time.Unix(has.At, 0)
	due = sent.Add(d.MinInterval).UTC()
	if !now.Before(due) || sent.After(now.Add(runs.MaxAhead)) { // by a clock that was wrong
		return false, time.Time{}
	}
	return true, due
}

// Why says why a change waits, "" if it does not.
func (d Rule) Why(has state.Known, want attr.Value, now time.Time) string {
	switch damps, due := d.Damps(has, want, now); {
	case !damps:
		return ""
	case due.IsZero():
		before, after, _ := numbers(has.Value, want)
		return fmt.Sprintf("%s is less than tolerance = %s", strconv.FormatFloat(math.Abs(after-before), 'g', 6, 64), d.Tolerance)
	default:
		return fmt.Sprintf("until %s (min_interval = %s)", due.Format("2006-01-02 15:04 MST"), short(d.MinInterval))
	}
}

// short writes a duration without the zeros at its end.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// String returns the tolerance as it is written in the configuration.
func (t Tolerance) String() string {
	if t.Share > 0 {
		return strconv.FormatFloat(100*t.Share, 'g', 6, 64) + "%"
	}
	return strconv.FormatFloat(t.Amount, 'g', 6, 64)
}

func isNothing(v attr.Value) bool { return v.Kind() == attr.None || v.Kind() == attr.Null }

// covers reports whether two numbers are closer than the tolerance.
func (t Tolerance) covers(has, want attr.Value) bool {
	before, after, ok := numbers(has, want)
	distance := math.Abs(after - before)
	return ok && (distance < t.Amount || distance < t.Share*math.Abs(before))
}

// numbers returns two values that are numbers, false if they are not.
func numbers(a, b attr.Value) (x, y float64, ok bool) {
	if a.Kind() != attr.Number || b.Kind() != attr.Number {
		return 0, 0, false
	}
	x, err := strconv.ParseFloat(string(a.Text()), 64)
	y, err2 := strconv.ParseFloat(string(b.Text()), 64)
	return x, y, err == nil && err2 == nil
}
