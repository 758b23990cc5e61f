package app

import (
	"testing"
	"time"
)

// TestSince: times are read as results show them, and as people write them.
func TestSince(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 30, 0, 50, 0, 0, time.UTC) // 01:50 in Berlin
	for text, want := range map[string]string{
		"2026-11-29":               "2026-11-28T23:00:00Z",
		"2026-11-29T08:00:00Z":     "2026-11-29T08:00:00Z",
		"2026-11-29 08:00":         "2026-11-29T07:00:00Z",
		"2026-11-29 08:00:00":      "2026-11-29T07:00:00Z",
		"2026-11-29 08:00:00 CET":  "2026-11-29T07:00:00Z",
		"2026-11-29 08:00:00 UTC":  "2026-11-29T08:00:00Z",
		"2026-10-25 02:30:00 CET":  "2026-10-25T01:30:00Z", // the hour that comes twice
		"2026-10-25 02:30:00 CEST": "2026-10-25T00:30:00Z",
		"2026-11-29 08:00:00 EST":  "",
		"01:30":                    "2026-11-30T00:30:00Z",
		"23:00:30":                 "2026-11-29T22:00:30Z",
		"today":                    "2026-11-29T23:00:00Z",
		"yesterday":                "2026-11-28T23:00:00Z",
		"2d":                       "2026-11-28T00:50:00Z",
		"25:00":                    "",
		"soon":                     "",
	} {
		at, err := since(text, now, zone)
		got := ""
		if err == nil {
			got = at.UTC().Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%s: %s, want %s (%v)", text, got, want, err)
		}
	}
}
