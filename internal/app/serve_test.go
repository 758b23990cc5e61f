package app

import "testing"

// TestSlots: a schedule is shown as it was written, whatever its zone.
func TestSlots(t *testing.T) {
	for schedule, want := range map[string]string{
		"0 */2 * * *": "0 */2 * * *", "CRON_TZ=Europe/Vienna 0 3 * * *": "0 3 * * *", "TZ=UTC @every 2h": "@every 2h", "@every 2h": "@every 2h",
	} {
		if got := slots(schedule); got != want {
			t.Errorf("%q: %q, want %q", schedule, got, want)
		}
	}
}
