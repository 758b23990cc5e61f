package attr

import (
	"strconv"
	"strings"
	"time"
)

// layouts are the forms in which exports, warehouses and events write a point in
// time: ISO 8601, but for its weeks, and what databases print. A time without a zone is
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
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05Z07",
	"2006-01-02 15:04:05 Z07:00",
	"2006-01-02 15:04:05 -0700",
	"2006-01-02 15:04:05 MST",
	"2006-01-02 15:04:05",
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
	t, ok := parseTime(strings.TrimSpace(text))
	t = t.UTC()
	return t, ok && t.Year() >= 0 && t.Year() <= 9999 // RFC 3339 has no other years
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
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || n < 0:
		return time.Time{}, false
	case len(text) >= 9 && len(text) <= 10:
		return time.Unix(n, 0), true
	case len(text) >= 12 && len(text) <= 13:
		return time.UnixMilli(n), true
	}
	return time.Time{}, false
}
