package schedule

import (
	"fmt"
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
		{"@every  1d12h", "UTC", []string{"2026-10-26T10:30:00Z", "2026-10-27T22:30:00Z"}},
		{" 0  2\t*  * \t* ", "UTC", []string{"2026-10-25T02:00:00Z", "2026-10-26T02:00:00Z"}},
		{"CRON_TZ=UTC\t0 2  * * 7", "", []string{"2026-10-25T02:00:00Z", "2026-11-01T02:00:00Z"}},
	} {
		s, err := Parse(test.spec, test.zone, 0)
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
		{"0 2 * * 8", "", "five fields"},
		{"@every 0s", "", "five fields"},
		{"@every -1h", "", "five fields"},
		{"@every often", "", "five fields"},
		{"0 2 * * 7-1", "", "five fields"},
		{"0 2 * * 1-7/0", "", "five fields"},
		{"0 2 * * x-7", "", "five fields"},
		{"0 7-7-7 * * *", "", "five fields"},
		{"0 0 30 2 *", "", "no such day"},
		{"0 * * * *", "Mars/Olympus", `no time zone "Mars/Olympus"`},
		{"TZ=UTC 0 * * * *", "UTC", "choose one"},
	} {
		if _, err := Parse(test.spec, test.zone, 0); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q in %q: %v, want %s", test.spec, test.zone, err, test.want)
		}
	}
}

// TestSunday: 7 is a Sunday, wherever cron takes it.
func TestSunday(t *testing.T) {
	names := []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}
	fields := map[string]string{ // a day of the week is a letter
		"0": "S", "7": "S", "1,7": "SM", "7,1": "SM", "0,7": "S", "5-7": "SFA", "0-7": "SMTWHFA", "1-7": "SMTWHFA", "7-7": "S",
		"6-7,3": "SWA", "7/2": "S", "fri-7": "SFA", "SUN-7": "SMTWHFA", "*": "SMTWHFA", "?": "SMTWHFA", "1-5": "MTWHF", "Mon,7": "SM",
	}
	for from := range 8 { // what steps there are, against a loop
		for step := 1; step < 9; step++ {
			var days [7]bool
			for day := from; day <= 7; day += step {
				days[day%7] = true
			}
			want := ""
			for day, on := range days {
				if on {
					want += "SMTWHFA"[day : day+1]
				}
			}
			fields[fmt.Sprintf("%d-7/%d", from, step)] = want
			if from < 7 {
				fields[fmt.Sprintf("%s-7/%d", names[from], step)] = want
			}
		}
	}
	for field, want := range fields {
		s, err := Parse("30 2 * * "+field, "UTC", 0)
		if err != nil {
			t.Errorf("%s: %v", field, err)
			continue
		}
		got := ""
		begin := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC) // a Sunday
		for day := range 7 {
			midnight := begin.AddDate(0, 0, day)
			if s.Next(midnight).Equal(midnight.Add(2*time.Hour + 30*time.Minute)) {
				got += "SMTWHFA"[day : day+1]
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", field, got, want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "2h": 2 * time.Hour, "90d": 90 * day, "1d12h": 36 * time.Hour, "1.5d": 36 * time.Hour, "1d1h1m1s": 25*time.Hour + time.Minute + time.Second,
		"": 0, "0d": 0, "-1d": 0, "1d-2h": 0, "d": 0, "2 days": 0, "1d 2h": 0, "5": 0, "2h1d": 0, "1dd": 0, "999999999999d": 0, "1e3d": 0,
	} {
		if got, err := ParseDuration(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestMissed(t *testing.T) {
	s, err := Parse("0 */2 * * *", "UTC", 0)
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

// TestSpread: projects with the same slots do not begin together, each of them always at the
// same time, and late by a tenth of the time between two slots at most.
func TestSpread(t *testing.T) {
	slot := time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC)
	for spec, most := range map[string]time.Duration{"0 */2 * * *": 10 * time.Minute, "*/10 * * * *": time.Minute, "@every 5m": 30 * time.Second, "0 0 29 2 *": 10 * time.Minute} {
		s, err := Parse(spec, "UTC", 0)
		if err != nil {
			t.Fatal(err)
		}
		if s.Delay(slot) != 0 {
			t.Errorf("%s: one project alone begins %s late", spec, s.Delay(slot))
		}
		begun := map[time.Duration]int{} // by tenths of the spread
		for n := range 50 {
			name := fmt.Sprintf("client-%02d", n)
			delay := s.Spread(name).Delay(slot)
			if delay < 0 || delay >= most || delay != s.Spread(name).Delay(slot) {
				t.Errorf("%s: %s begins %s late, then %s", spec, name, delay, s.Spread(name).Delay(slot))
			}
			begun[delay/(most/10)]++
		}
		for tenth := range time.Duration(10) {
			if n := begun[tenth]; n == 0 || n > 12 {
				t.Errorf("%s: %d of 50 begin in tenth %d", spec, n, tenth)
			}
		}
	}
}
