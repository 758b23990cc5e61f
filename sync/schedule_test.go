package sync

import (
	"strings"
	"testing"
	"time"
)

func TestParseSchedule(t *testing.T) {
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Skip("this machine has no time zones")
	}
	// On 2026-10-25 Vienna has the hour from 02:00 twice: one run more does no harm.
	from := time.Date(2026, 10, 25, 0, 30, 0, 0, vienna)
	for _, test := range []struct {
		spec, zone string
		want       []string // in UTC
	}{
		{"0 */2 * * *", "UTC", []string{"2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"}},
		{"0 */2 * * *", "Europe/Vienna", []string{"2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T03:00:00Z"}},
		{"CRON_TZ=Europe/Vienna 15 3 * * 1", "", []string{"2026-10-26T02:15:00Z", "2026-11-02T02:15:00Z"}},
		{"@every 2h", "", []string{"2026-10-25T00:30:00Z", "2026-10-25T02:30:00Z"}},
	} {
		s, err := ParseSchedule(test.spec, test.zone, 0)
		if err != nil {
			t.Errorf("%s: %v", test.spec, err)
			continue
		}
		at := from
		for _, want := range test.want {
			if at = s.Next(at); at.UTC().Format(time.RFC3339) != want {
				t.Errorf("%s in %s: %s, want %s", test.spec, test.zone, at.UTC().Format(time.RFC3339), want)
			}
		}
	}
	for _, test := range []struct{ spec, zone, want string }{
		{"hourly", "", "five fields"},
		{"", "", "five fields"},
		{"* * * * * *", "", "five fields"},
		{"TZ=UTC", "", "five fields"},
		{"CRON_TZ=", "", "five fields"},
		{"TZ=Nowhere/Else 0 * * * *", "", "five fields"},
		{"0 0 30 2 *", "", "no such day"},
		{"0 * * * *", "Mars/Olympus", `no time zone "Mars/Olympus"`},
		{"TZ=UTC 0 * * * *", "UTC", "choose one"},
	} {
		if _, err := ParseSchedule(test.spec, test.zone, 0); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q in %q: %v, want %s", test.spec, test.zone, err, test.want)
		}
	}
}

func TestMissed(t *testing.T) {
	s, err := ParseSchedule("0 */2 * * *", "UTC", 0)
	if err != nil {
		t.Fatal(err)
	}
	slot := time.Date(2026, 1, 1, 2, 0, 0, 0, time.UTC)
	for after, want := range map[time.Duration]int{time.Minute: 0, 2*time.Hour - 1: 0, 2 * time.Hour: 1, 7 * time.Hour: 3} {
		if got := s.Missed(slot, slot.Add(after)); got != want {
			t.Errorf("%v after the slot: %d missed, want %d", after, got, want)
		}
	}
}
