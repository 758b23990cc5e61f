package attr

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// layouts are the forms in which exports, warehouses and events write a point in
// time: ISO 8601, and what databases print. A time without a zone is
// UTC. Parsing takes a fraction of a second in any of them, behind a dot or a comma.
var layouts = []string{
	time.RFC3339,
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04:05Z07",
	"2006-01-02T15:04:05",
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04Z0700",
	"2006-01-02T15:04Z07",
	"2006-01-02T15:04",
	"2006-01-02T15Z07:00",
	"2006-01-02T15",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05Z07",
	"2006-01-02 15:04:05 Z07:00",
	"2006-01-02 15:04:05 -0700",
	"2006-01-02 15:04:05 MST",
	"2006-01-02 15:04:05",
	"2006-01-02 15:04",
	"2006-01-02",
	"20060102T150405Z07:00",
	"20060102T150405Z0700",
	"20060102T150405Z07",
	"20060102T150405",
	"20060102T1504Z0700",
	"20060102T1504Z07",
	"20060102T1504",
	"20060102",
	"2006-002T15:04:05Z07:00",
	"2006-002T15:04:05",
	"2006-002",
}

// Datetime returns the point in time that text names as an RFC 3339 string in
// UTC, with as many fractional digits as it needs. It takes ISO 8601 in the
// forms that exports use, and seconds or milliseconds since 1970.
func Datetime(text string) (Value, bool) {
	t, ok := Time(text)
	if !ok {
		return Value{}, false
	}
	return OfString([]byte(t.Format(time.RFC3339Nano))), true
}

// Time returns the point in time, in UTC, that text names in one of the forms that
// [Datetime] takes.
func Time(text string) (time.Time, bool) {
	text = strings.TrimSpace(text)
	t, ok := parseTime(text)
	if !ok { // ISO 8601 allows small letters, and weeks
		t, ok = parseTime(withoutWeek(strings.ToUpper(text)))
	}
	t = t.UTC()
	return t, ok && t.Year() >= 0 && t.Year() <= 9999 // RFC 3339 has no other years
}

// week is a day of a week, as ISO 8601 has it: 2026-W48-3, or 2026W483.
var week = regexp.MustCompile(`^(\d{4})-?W(\d\d)-?([1-7])(T|$)`)

// withoutWeek writes the date that begins with a week as one with a month.
func withoutWeek(text string) string {
	m := week.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	year, _ := strconv.Atoi(m[1])
	number, _ := strconv.Atoi(m[2])
	day, _ := strconv.Atoi(m[3])
	first := time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC) // it is in the first week
	monday := first.AddDate(0, 0, -(int(first.Weekday())+6)%7)
	date := monday.AddDate(0, 0, 7*(number-1)+day-1)
	if y, w := date.ISOWeek(); y != year || w != number {
		return text // that year has no such week
	}
	layout := "2006-01-02"
	if !strings.Contains(m[0], "-") {
		layout = "20060102" // the time is without colons too
	}
	return date.Format(layout) + m[4] + text[len(m[0]):]
}

func parseTime(text string) (time.Time, bool) {
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, text, time.UTC); err == nil {
			if zone, offset := t.Zone(); offset == 0 && zone != "UTC" && zone != "GMT" && zone != "" {
				return time.Time{}, false // an abbreviation whose offset nobody knows
			}
			return t, true
		}
	}
	whole, fraction, _ := strings.Cut(text, ".")
	n, err := strconv.ParseUint(whole, 10, 63)
	part, fractionErr := strconv.ParseUint((fraction + "000000000")[:9], 10, 63) // billionths
	switch {
	case err != nil || fractionErr != nil || len(fraction) > 9:
		return time.Time{}, false
	case len(whole) >= 9 && len(whole) <= 10:
		return time.Unix(int64(n), int64(part)), true
	case len(whole) >= 12 && len(whole) <= 13:
		return time.UnixMilli(int64(n)).Add(time.Duration(part / 1000)), true
	}
	return time.Time{}, false
}
