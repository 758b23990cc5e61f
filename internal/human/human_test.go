package human

import (
	"testing"
	"time"
)

// TestWritten: what people read.
func TestWritten(t *testing.T) {
	at := time.Date(2026, 11, 29, 8, 30, 15, 999, time.FixedZone("", 3600))
	for _, test := range []struct{ got, want string }{
		{Grouped(0), "0"},
		{Grouped(999), "999"},
		{Grouped(1234567), "1,234,567"},
		{Grouped(-123456), "-123,456"},
		{Count(1, "call"), "1 call"},
		{Count(0, "call"), "0 calls"},
		{Count(1000, "call"), "1,000 calls"},
		{Time(time.Time{}, time.UTC), Dash},
		{Time(at, time.UTC), "2026-11-29 07:30:15 UTC"},
		{Time(at, time.FixedZone("CET", 3600)), "2026-11-29 08:30:15 CET"},
		{Until(at.Add(54*time.Minute+20*time.Second), at), "in 54 min"},
		{Until(at.Add(90*time.Minute), at), "in 1 h 30 min"},
		{Until(at.Add(2*time.Hour), at), "in 2 h"},
		{Until(at.Add(9*time.Second), at), "in 9 s"},
		{Until(at, at.Add(1)), "now"},
		{About(1234 * time.Microsecond), "1ms"},
		{About(1234 * time.Millisecond), "1.2s"},
		{About(12345 * time.Millisecond), "12s"},
		{About(16*time.Hour + 40*time.Minute + 5*time.Second), "16h40m"},
		{Printable("Zoë's “list” \\ \"x\""), "Zoë's “list” \\ \"x\""},
		{Printable("a\x1b[2Jb\n\"c\""), `a\x1b[2Jb\n"c"`},
		{Printable("a\xffb"), `a\xffb`},
		{Printable("a\u202eb"), `a\u202eb`}, // writes from right to left
	} {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
}
