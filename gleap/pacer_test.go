package gleap

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// arrivals lets workers send requests for a while, over a network and to a server
// of the given delays, and returns when the server saw them.
func arrivals(p *pacer, workers int, lasts, network, latency time.Duration) []time.Time {
	ctx, cancel := context.WithTimeout(context.Background(), lasts)
	defer cancel()
	var (
		mu   sync.Mutex
		seen []time.Time
		wg   sync.WaitGroup
	)
	random := rand.New(rand.NewPCG(1, 2))
	upTo := func(d time.Duration) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(random.Int64N(int64(d) + 1))
	}
	for range workers {
		wg.Go(func() {
			for {
				t, err := p.take(ctx)
				if err != nil {
					return
				}
				time.Sleep(upTo(network)) // connecting, writing
				time.Sleep(upTo(network)) // on the way
				mu.Lock()
				seen = append(seen, time.Now())
				mu.Unlock()
				time.Sleep(latency)
				t.done()
			}
		})
	}
	wg.Wait()
	slices.SortFunc(seen, time.Time.Compare)
	return seen
}

// peak returns the most times in any window.
func peak(times []time.Time, window time.Duration) int {
	most, first := 0, 0
	for i, t := range times {
		for !times[first].After(t.Add(-window)) {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func TestPace(t *testing.T) {
	for _, test := range []struct {
		name             string
		limit, workers   int
		window           time.Duration
		network, latency time.Duration
	}{
		{"quick answers", 1000, 16, time.Minute, 10 * time.Millisecond, 20 * time.Millisecond},
		{"usual answers", 1000, 36, time.Minute, 100 * time.Millisecond, 300 * time.Millisecond},
		{"small window", 500, 16, 2 * time.Second, time.Millisecond, time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lasts := 4 * test.window
				seen := arrivals(newPacer(test.limit, test.window), test.workers, lasts, test.network, test.latency)
				if most := peak(seen, test.window); most > test.limit {
					t.Errorf("a window saw %d requests, %d are allowed", most, test.limit)
				}
				if used := float64(len(seen)) / float64(4*test.limit); used < 0.99 {
					t.Errorf("%.2f %% of the limit was used", 100*used)
				}
			})
		})
	}
}

// TestPaceOfSlowAnswers: a request counts until its answer and a window more, so answers
// that take long cost something. It is measured over the windows after the first ones, which
// have the start in them.
func TestPaceOfSlowAnswers(t *testing.T) {
	const limit, window = 1000, time.Minute
	for latency, least := range map[time.Duration]float64{
		100 * time.Millisecond: 0.995, 500 * time.Millisecond: 0.99, 2 * time.Second: 0.96,
	} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			workers := int(limit*latency/window)*12/10 + 16
			seen := arrivals(newPacer(limit, window), workers, 15*window, time.Millisecond, latency)
			if most := peak(seen, window); most > limit {
				t.Errorf("%s: a window saw %d requests", latency, most)
			}
			late := slices.DeleteFunc(seen, func(at time.Time) bool { return at.Before(begin.Add(5 * window)) })
			used := float64(len(late)) / (10 * limit)
			t.Logf("answers after %s: %.2f %% of the limit", latency, 100*used)
			if used < least {
				t.Errorf("answers after %s: %.2f %% of the limit was used", latency, 100*used)
			}
		})
	}
}

// TestPaceAfterStall: requests that pile up somewhere on the way arrive together, however
// long that takes, and still no window sees too many. They may be answered then, or have
// timed out at the moment before.
func TestPaceAfterStall(t *testing.T) {
	const limit, window = 200, time.Minute
	for _, stall := range []time.Duration{200 * time.Millisecond, 3 * time.Second, 25 * time.Second} {
		for _, workers := range []int{1, 40, 300} {
			synctest.Test(t, func(t *testing.T) {
				p := newPacer(limit, window)
				ctx, cancel := context.WithTimeout(t.Context(), 5*window)
				defer cancel()
				from := time.Now().Add(90 * time.Second)
				var mu sync.Mutex
				var seen []time.Time
				var wg sync.WaitGroup
				for range workers {
					wg.Go(func() {
						for {
							tk, err := p.take(ctx)
							if err != nil {
								return
							}
							if since := time.Since(from); since >= 0 && since < stall {
								time.Sleep(stall - since) // nothing comes through until then
							}
							mu.Lock()
							seen = append(seen, time.Now())
							mu.Unlock()
							time.Sleep(20 * time.Millisecond)
							tk.done()
						}
					})
				}
				wg.Wait()
				slices.SortFunc(seen, time.Time.Compare)
				if most := peak(seen, window); most > limit {
					t.Errorf("%d workers, a stall of %s: a window saw %d requests", workers, stall, most)
				}
			})
		}
	}
}

// TestPaceIsHandedOn: a pacer goes on where the one before stopped.
func TestPaceIsHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, window = 1000, time.Minute
		var seen []time.Time
		var handed []past
		for range 12 { // each for 20 s, so that a window sees three or four of them
			p := newPacer(limit, window)
			p.resume(handed)
			seen = append(seen, arrivals(p, 16, 20*time.Second, 10*time.Millisecond, 20*time.Millisecond)...)
			handed = p.history()
			if len(handed) > groups+2 {
				t.Errorf("%d counts are handed on", len(handed))
			}
		}
		if most := peak(seen, window); most > limit {
			t.Errorf("a window saw %d requests", most)
		}
		if used := float64(len(seen)) / (4 * limit); used < 0.96 {
			t.Errorf("%.1f %% of the limit was used", 100*used)
		}
	})
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(1000, time.Minute)
		begin := time.Now()
		p.pause(30*time.Second, true)
		p.pause(10*time.Second, true) // a request that was on its way: halved once, the longer pause stays
		if _, err := p.take(context.Background()); err != nil || time.Since(begin) < 30*time.Second {
			t.Errorf("a ticket after %s, %v", time.Since(begin), err)
		}
		if p.share != 0.5 {
			t.Errorf("the pace is %v", p.share)
		}
		for range 499 {
			p.recover()
		}
		if p.share >= 1 {
			t.Error("the pace recovers at once")
		}
		for range 10 {
			p.recover()
		}
		if p.share != 1 {
			t.Errorf("the pace does not recover: %v", p.share)
		}
	})
}

func TestTakeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(1, time.Hour)
		if _, err := p.take(context.Background()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		begin := time.Now()
		if _, err := p.take(ctx); err != context.DeadlineExceeded || time.Since(begin) != time.Minute {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
	})
}

func TestNoLimit(t *testing.T) {
	p := newPacer(0, time.Minute)
	for range 100_000 {
		tk, err := p.take(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		tk.done()
	}
}

func BenchmarkTake(b *testing.B) {
	p := newPacer(1_000_000_000, time.Minute)
	for b.Loop() {
		t, _ := p.take(context.Background())
		t.done()
	}
}
