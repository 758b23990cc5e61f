// Package damping says which changes of a trait's values are not worth a call of their own.
package damping

import (
	"math"
	"strconv"
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

func isNothing(v attr.Value) bool { return v.Kind() == attr.None || v.Kind() == attr.Null }

// covers reports whether two numbers are closer than the tolerance.
func (t Tolerance) covers(has, want attr.Value) bool {
	if has.Kind() != attr.Number || want.Kind() != attr.Number {
		return false
	}
	before, err := strconv.ParseFloat(string(has.Text()), 64)
	after, err2 := strconv.ParseFloat(string(want.Text()), 64)
	if err != nil || err2 != nil {
		return false
	}
	distance := math.Abs(after - before)
	return distance < t.Amount || distance < t.Share*math.Abs(before)
}
