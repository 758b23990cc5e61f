package app

import (
	"testing"

	"gleapsync/internal/schedule"
)

// TestSlots: a schedule is shown as it was written, whatever its zone.
func TestSlots(t *testing.T) {
	for _, test := range []struct{ spec, zone, want string }{
		{"0 */2 * * *", "Europe/Vienna", "0 */2 * * *"},
		{"0 */2 * * *", "", "0 */2 * * *"},
		{"CRON_TZ=Europe/Vienna 0 3 * * *", "", "0 3 * * *"},
		{"@every 2h", "", "@every 2h"},
	} {
		s, err := schedule.Parse(test.spec, test.zone, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := slots(s); got != test.want {
			t.Errorf("%q, %q: %s", test.spec, test.zone, got)
		}
	}
}
