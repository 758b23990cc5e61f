package attr

import (
	"testing"
	"time"
)

// TestDatetimeWithoutOffset: a date without an offset is in UTC on every machine.
func TestDatetimeWithoutOffset(t *testing.T) {
	defer func(local *time.Location) { time.Local = local }(time.Local)
	time.Local = time.FixedZone("elsewhere", 5*60*60)
	if v, ok := Datetime("2026-03-01 12:00:00"); !ok || v.String() != "2026-03-01T12:00:00Z" {
		t.Errorf("%s, %v", v.String(), ok)
	}
}

func TestDatetime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-03-01T12:00:00Z":           "2026-03-01T12:00:00Z",
		"2026-03-01T12:00:00.120Z":       "2026-03-01T12:00:00.12Z",
		"2026-03-01T12:00:00+02:00":      "2026-03-01T10:00:00Z",
		"2026-03-01T12:00:00+0200":       "2026-03-01T10:00:00Z",
		"2026-03-01T12:00:00":            "2026-03-01T12:00:00Z",
		"2026-03-01T12:00":               "2026-03-01T12:00:00Z",
		"2026-03-01 12:00:00":            "2026-03-01T12:00:00Z",
		"2026-03-01 12:00:00.123456+00":  "2026-03-01T12:00:00.123456Z",
		"2026-03-01 12:00:00+05:30":      "2026-03-01T06:30:00Z",
		"2026-03-01 12:00:00 UTC":        "2026-03-01T12:00:00Z",
		"2026-03-01 12:00:00 +0100":      "2026-03-01T11:00:00Z",
		" 2026-03-01 ":                   "2026-03-01T00:00:00Z",
		"1772366400":                     "2026-03-01T12:00:00Z",
		"1772366400500":                  "2026-03-01T12:00:00.5Z",
		"2026-03-01 12:00:00 EST":        "", // no offset to be had from it
		"2026-13-01":                     "",
		"yesterday":                      "",
		"":                               "",
		"42":                             "",
		"-1772366400":                    "",
		"9999-12-31T23:59:59-14:00":      "",
		"2026-03-01T12:00:00Z and so on": "",
		"01/03/2026":                     "", // day or month first: nobody knows
	} {
		v, ok := Datetime(text)
		if got := v.String(); got != want || ok != (want != "") {
			t.Errorf("Datetime(%q) = %q, %v, want %q", text, got, ok, want)
		}
	}
}
