// Package human writes numbers, times and texts as people read them.
//
// Whatever comes from outside (user ids, names, file names) goes through [Printable]
// before it goes to a terminal, so that no control character gets there.
package human

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Printable returns s with everything that is not printable escaped, as Go does in a
// quoted string.
func Printable(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return s
	}
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// Count writes a number with the noun that goes with it.
func Count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Grouped(n) + " " + noun
}

// Grouped writes a number with its digits in groups of three.
func Grouped(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Dash stands for what says nothing.
const Dash = "-"

// Time writes a time with its zone, to the second; a dash stands for none.
func Time(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return Dash
	}
	return t.In(zone).Format("2006-01-02 15:04:05 MST")
}

// Until writes how long it is until a time that is to come.
func Until(t, now time.Time) string {
	switch d := t.Sub(now); {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("in %d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("in %d min", int(d.Round(time.Minute).Minutes()))
	default:
		return "in " + Hours(d)
	}
}

// Hours writes a duration in hours and minutes.
func Hours(d time.Duration) string {
	d = d.Round(time.Minute)
	return strings.TrimSuffix(fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60), " 0 min")
}

// About writes a duration as far as a person cares.
func About(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s") // 16h40m
}
