package gleap

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestHistory: how long ago what was noted was seen, by clocks that are right and wrong.
func TestHistory(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(wall time.Duration, boot string, since time.Duration) moment {
		return moment{noon.Add(wall), boot, since}
	}
	const hour, second = time.Hour, time.Second
	for _, test := range []struct {
		name          string
		noted, resume moment
		want          time.Duration // since it was noted; -1: all counts as seen just now
	}{
		{"clocks that are right", at(0, "a", hour), at(30*second, "a", hour+30*second), 30 * second},
		{"set forward", at(0, "a", hour), at(100*second, "a", hour+30*second), 30 * second},
		{"set back", at(0, "a", hour), at(-40*second, "a", hour+30*second), 30 * second},
		{"a snapshot of the machine", at(0, "a", hour), at(30*second, "a", hour-30*second), -1},
		{"started again", at(0, "a", hour), at(30*second, "b", 20*second), 20 * second},
		{"started again and set forward", at(0, "a", hour), at(hour, "b", 20*second), 20 * second},
		{"started again and set back", at(0, "a", hour), at(-hour, "b", 20*second), -1},
		{"another machine", at(0, "a", hour), at(30*second, "b", 9*hour), 30 * second},
		{"no time since the start", at(0, "", 0), at(30*second, "", 0), 30 * second},
		{"no time since the start, set back", at(0, "", 0), at(-second, "", 0), -1},
		{"only then", at(0, "a", hour), at(30*second, "", 0), 30 * second},
		{"only now", at(0, "", 0), at(30*second, "b", 9*hour), 30 * second},
		{"years", at(0, "a", hour), at(1<<62, "b", 1<<62), 1 << 61},
	} {
		seen := []past{{50 * second, 7}, {0, 3}}
		text, err := json.Marshal(newHistory(seen, test.noted))
		if err != nil {
			t.Fatal(err)
		}
		var h History
		if err := json.Unmarshal(text, &h); err != nil {
			t.Fatal(err)
		}
		h.Unknown = 2
		want := []past{{test.want + 50*second, 7}, {test.want, 3}, {0, 2}}
		if test.want < 0 {
			want = []past{{0, 7}, {0, 3}, {0, 2}}
		}
		if got := h.past(test.resume); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v; %s", test.name, got, want, text)
		}
	}
	if h := newHistory(nil, at(0, "a", hour)); !h.At.IsZero() {
		t.Errorf("what has nothing changes: %+v", h)
	}
}

// TestOldHistory: what earlier versions noted has no time of its own.
func TestOldHistory(t *testing.T) {
	var h History
	if err := json.Unmarshal([]byte(`{"running":false,"seen":[{"at":"2026-03-01T11:59:10Z","count":7},{"at":"2026-03-01T12:00:00Z","count":3}]}`), &h); err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for wall, want := range map[time.Duration][]past{
		30 * time.Second: {{80 * time.Second, 7}, {30 * time.Second, 3}},
		-time.Second:     {{0, 7}, {0, 3}},
	} {
		if got := h.past(moment{wall: noon.Add(wall)}); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", wall, got, want)
		}
	}
}

// TestThisMoment: the clock since the start goes on, and names the same start.
func TestThisMoment(t *testing.T) {
	a, b := thisMoment(), thisMoment()
	if a.boot != b.boot || b.sinceBoot < a.sinceBoot || (a.boot == "") != (a.sinceBoot == 0) {
		t.Errorf("%+v, then %+v", a, b)
	}
}

// TestLyingClock: the wall clock jumps forward and back by 70 s, in runs and between them.
// No window by the clock that nobody can set sees too much, whether the system tells the
// time since its start or not; without it a jump back costs waiting, and one forward
// between runs cannot be told from time that passed.
func TestLyingClock(t *testing.T) {
	const limit, window = 100, time.Minute
	for _, test := range []struct {
		name  string
		boot  string
		lasts time.Duration   // each run
		jumps []time.Duration // of the wall clock, one in each run and one after it
		least float64         // how much of the limit is used
	}{
		{"time since the start", "a", 45 * time.Second, []time.Duration{70 * time.Second, 70 * time.Second, 0, -70 * time.Second, -3 * time.Hour}, 0.95},
		{"wall clock alone", "", 3 * time.Minute, []time.Duration{-70 * time.Second, -time.Second}, 0.6},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var jumped time.Duration
				clock := func() moment {
					m := moment{wall: time.Now().Round(0).Add(jumped), boot: test.boot}
					if m.boot != "" {
						m.sinceBoot = time.Hour + time.Since(start)
					}
					return m
				}
				var seen []time.Time
				var text []byte
				for run := range 12 {
					c := newClient(t, Options{BaseURL: EU, Rate: limit, Window: window})
					c.moment = clock
					var before History
					if run > 0 {
						if err := json.Unmarshal(text, &before); err != nil {
							t.Fatal(err)
						}
					}
					c.Resume(before)
					jump := test.jumps[run%len(test.jumps)]
					for begin := time.Now(); time.Since(begin) < test.lasts; {
						ctx, cancel := context.WithTimeout(t.Context(), test.lasts-time.Since(begin))
						tk, err := c.pacer.take(ctx)
						cancel()
						if err != nil {
							break
						}
						seen = append(seen, time.Now())
						tk.done()
						if time.Since(begin) > 20*time.Second {
							jumped += jump
							jump = 0
						}
					}
					text, _ = json.Marshal(c.Seen())
					jumped += test.jumps[(run+1)%len(test.jumps)]
				}
				if most := peak(seen, window); most > limit {
					t.Errorf("a window saw %d requests", most)
				}
				if used := float64(len(seen)) / (12 * test.lasts.Minutes() * limit); used < test.least {
					t.Errorf("%.1f %% of the limit was used", 100*used)
				}
			})
		})
	}
}
