package sandbox_test

import (
	"math/rand/v2"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"gleapsync/gleap/sandbox"
)

func auth(s *sandbox.Sandbox) *httptest.ResponseRecorder {
	return send(s, request("GET", "/admin/auth", ""))
}

func TestLimit(t *testing.T) {
	type step struct {
		at         time.Duration
		want       int
		remaining  string
		retryAfter string
	}
	tests := []struct {
		name  string
		opts  sandbox.Options
		steps []step
		peak  int
	}{
		{"rolling, not fixed", sandbox.Options{Rate: 2, Window: 10 * time.Second}, []step{
			{0, 200, "1", ""},
			{9 * time.Second, 200, "0", ""},
			{9500 * time.Millisecond, 429, "0", "1"},
			{10 * time.Second, 200, "0", ""}, // the first has left
			{11 * time.Second, 429, "0", "8"},
			{19 * time.Second, 200, "0", ""},
		}, 4},
		{"a window is as long as it is", sandbox.Options{Rate: 1, Window: 10 * time.Second}, []step{
			{0, 200, "0", ""},
			{10*time.Second - 1, 429, "0", "1"},
			{10 * time.Second, 200, "0", ""},
		}, 2},
		{"a refusal puts nothing off", sandbox.Options{Rate: 1, Window: 3 * time.Second}, []step{
			{0, 200, "0", ""},
			{1 * time.Second, 429, "0", "2"},
			{1500 * time.Millisecond, 429, "0", "2"}, // 1.5 s, rounded up
			{2 * time.Second, 429, "0", "1"},
			{3 * time.Second, 200, "0", ""},
		}, 4},
		{"60 s by default", sandbox.Options{Rate: 1}, []step{
			{0, 200, "0", ""},
			{time.Second, 429, "0", "59"},
			{time.Minute - time.Second, 429, "0", "1"},
			{time.Minute, 200, "0", ""},
		}, 3},
		{"none", sandbox.Options{}, []step{
			{0, 200, "", ""},
			{0, 200, "", ""},
		}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := sandbox.New(tt.opts)
				start := time.Now()
				limited := 0
				for i, step := range tt.steps {
					time.Sleep(time.Until(start.Add(step.at)))
					w := auth(s)
					got := [3]string{strconv.Itoa(w.Code), w.Header().Get("X-RateLimit-Remaining"), w.Header().Get("Retry-After")}
					if want := [3]string{strconv.Itoa(step.want), step.remaining, step.retryAfter}; got != want {
						t.Errorf("step %d at %v: %q, want %q", i, step.at, got, want)
					}
					if step.want == 429 {
						limited++
					}
				}
				want := sandbox.Counts{
					Requests: len(tt.steps), Auth: len(tt.steps) - limited,
					RateLimited: limited, PeakInWindow: tt.peak,
				}
				if got := s.Counts(); got != want {
					t.Errorf("counts\n%+v, want\n%+v", got, want)
				}
			})
		})
	}
}

// TestLimitIsShared sends every kind of request against one limit, refused
// ones too; a wrong token does not count.
func TestLimitIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandbox.New(sandbox.Options{Token: token, Rate: 5})
		stranger := request("GET", "/admin/auth", "")
		stranger.Header.Set("Api-Token", "guess")
		if w := send(s, stranger); w.Code != 401 || w.Header().Get("X-RateLimit-Remaining") != "" {
			t.Errorf("stranger: %d %v", w.Code, w.Header())
		}
		for i, want := range []int{200, 200, 200, 200, 400, 429} {
			r := request("POST", "/admin/identify", `{}`)
			switch i {
			case 0, 5:
				r = request("POST", "/admin/identify", `{"userId":"u1"}`)
			case 1:
				r = request("POST", "/admin/track", `{"events":[{"name":"n","userId":"u1","date":"2024-05-01T10:00:00Z"}]}`)
			case 2:
				r = request("GET", "/admin/auth", "")
			case 3:
				r = request("DELETE", "/admin/contacts/u1", "")
			}
			w := send(s, r)
			if w.Code != want {
				t.Errorf("request %d: status %d, want %d", i, w.Code, want)
			}
			if got, want := w.Header().Get("X-RateLimit-Remaining"), strconv.Itoa(max(0, 4-i)); got != want {
				t.Errorf("request %d: %q remaining, want %q", i, got, want)
			}
		}
		want := sandbox.Counts{
			Requests: 6, Identify: 1, Track: 1, Auth: 1, Delete: 1,
			RateLimited: 1, Refused: 1, Events: 1, PeakInWindow: 6,
		}
		if got := s.Counts(); got != want {
			t.Errorf("counts\n%+v, want\n%+v", got, want)
		}
	})
}

// TestLimitModel holds random arrivals against the definition: a request is
// refused when the window before it holds as many accepted ones as the rate.
func TestLimitModel(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			rate := 1 + rng.IntN(20)
			window := time.Duration(1+rng.IntN(30)) * time.Second
			pause := int(2 * window / time.Duration(rate)) // about as fast as is allowed
			s := sandbox.New(sandbox.Options{Rate: rate, Window: window})

			var arrived, accepted []time.Time
			within := func(times []time.Time, now time.Time) int {
				n := 0
				for _, at := range times {
					if now.Sub(at) < window {
						n++
					}
				}
				return n
			}
			peak := 0
			for i := range 400 {
				switch rng.IntN(20) {
				case 0:
					time.Sleep(window)
				case 1, 2, 3, 4, 5, 6: // a burst
				default:
					time.Sleep(time.Duration(rng.IntN(pause)))
				}
				now := time.Now()
				want := 200
				if within(accepted, now) >= rate {
					want = 429
				} else {
					accepted = append(accepted, now)
				}
				arrived = append(arrived, now)
				peak = max(peak, within(arrived, now))
				if w := auth(s); w.Code != want {
					t.Fatalf("seed %d, request %d: status %d, want %d", seed, i, w.Code, want)
				}
			}
			c := s.Counts()
			if c.PeakInWindow != peak || c.Auth != len(accepted) || c.RateLimited != len(arrived)-len(accepted) {
				t.Errorf("seed %d: counts %+v, want peak %d, accepted %d of %d", seed, c, peak, len(accepted), len(arrived))
			}
		})
	}
}
