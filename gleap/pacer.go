package gleap

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// pacer hands out tickets, one for each request, so that Gleap sees at most a given
// number of requests in any window of time.
//
// Two things work together. A token bucket spreads the requests evenly. A count of
// the last window keeps the promise: a bucket of rate r and burst b lets b + r·window
// through, and what leaves evenly can still arrive in a bunch. The count therefore
// goes by the latest time at which Gleap can have seen a request: its answer, or for
// slow answers [settleAfter] after it was written. Until then it counts as seen now.
type pacer struct {
	limit  int // requests per window, 0: no limit
	window time.Duration
	bucket *rate.Limiter
	start  time.Time

	mu     sync.Mutex
	counts [windowSlices + 1]int // requests seen, by slice of time
	newest int64                 // the slice that counts holds last
	seen   int                   // the sum of counts
	open   []*ticket             // requests of which it is not known yet when they were seen
	until  time.Time             // nothing is sent before: Gleap asked for it
	share  float64               // of the limit that is used: less after a 429
}

// windowSlices is how finely the window is counted; the coarseness costs one slice
// of a window, 0.1 %.
const windowSlices = 1000

// spread is how much faster than the limit the bucket may run, so that time lost to
// a stall can be made up for. The count of the window is what holds the limit.
const spread = 1.05

func newPacer(limit int, window time.Duration) *pacer {
	p := &pacer{limit: limit, window: window, start: time.Now(), share: 1}
	p.bucket = rate.NewLimiter(p.bucketLimit(), max(1, limit/100))
	return p
}

func (p *pacer) bucketLimit() rate.Limit {
	if p.limit == 0 {
		return rate.Inf
	}
	return rate.Limit(spread * p.share * float64(p.limit) / p.window.Seconds())
}

// ticket is the right to send one request.
type ticket struct {
	p       *pacer
	written time.Time // zero: not yet
}

// settleAfter is how long after it was written a request may still be on its way:
// more than network and queues take, less than a slow answer.
func (p *pacer) settleAfter() time.Duration { return max(250*time.Millisecond, p.window/200) }

// take waits for a ticket.
func (p *pacer) take(ctx context.Context) (*ticket, error) {
	if p.limit > 0 && p.bucket.Wait(ctx) != nil {
		<-ctx.Done() // at once, or the bucket sees that its turn comes after the deadline
	}
	for ctx.Err() == nil {
		t, wait := p.tryTake(time.Now())
		if t != nil {
			return t, nil
		}
		_ = sleep(ctx, wait)
	}
	return nil, ctx.Err()
}

// tryTake returns a ticket, or how long to wait before trying again.
func (p *pacer) tryTake(now time.Time) (*ticket, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait := p.until.Sub(now); wait > 0 {
		return nil, wait
	}
	t := &ticket{p: p}
	if p.limit == 0 {
		return t, 0
	}
	p.advance(now)
	p.open = slices.DeleteFunc(p.open, func(o *ticket) bool {
		settled := !o.written.IsZero() && now.Sub(o.written) >= p.settleAfter()
		if settled {
			p.see(now)
		}
		return settled
	})
	if p.seen+len(p.open) < p.limit {
		p.open = append(p.open, t)
		return t, 0
	}
	return nil, p.nextChange(now)
}

// slice returns the number of the slice of time in which t lies.
func (p *pacer) slice(t time.Time) int64 {
	return int64(t.Sub(p.start) / (p.window / windowSlices))
}

// advance forgets the slices that left the window.
func (p *pacer) advance(now time.Time) {
	current := p.slice(now)
	for n := max(p.newest+1, current-windowSlices); n <= current; n++ {
		i := n % int64(len(p.counts))
		p.seen -= p.counts[i]
		p.counts[i] = 0
	}
	p.newest = max(p.newest, current)
}

// see counts a request as seen now.
func (p *pacer) see(now time.Time) {
	p.advance(now)
	p.counts[p.newest%int64(len(p.counts))]++
	p.seen++
}

// Seen says how many requests Gleap saw up to a time, since the one before.
type Seen struct {
	At    time.Time `json:"at"`
	Count int       `json:"count"`
}

// groups is how many parts of a window [pacer.history] tells apart.
const groups = 50

// history returns what Gleap has seen within the window that ends now. Each count is
// dated at the end of its part of the window; what is open counts as seen now.
func (p *pacer) history(now time.Time) []Seen {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.limit == 0 {
		return nil
	}
	p.advance(now)
	var all []Seen
	const part = windowSlices / groups
	for n := max(0, p.newest-windowSlices); n <= p.newest; n++ {
		count := p.counts[n%int64(len(p.counts))]
		if count == 0 {
			continue
		}
		end := p.start.Add(time.Duration((n/part+1)*part) * (p.window / windowSlices))
		if end.After(now) {
			end = now
		}
		if last := len(all) - 1; last >= 0 && all[last].At.Equal(end) {
			all[last].Count += count
		} else {
			all = append(all, Seen{end, count})
		}
	}
	if len(p.open) > 0 {
		all = append(all, Seen{now, len(p.open)})
	}
	return all
}

// resume makes the pacer go on where another one, of this project, has stopped.
func (p *pacer) resume(seen []Seen, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.limit == 0 {
		return
	}
	p.start = now.Add(-p.window)
	p.counts, p.seen = [windowSlices + 1]int{}, 0
	p.newest = p.slice(now)
	for _, s := range seen {
		if s.At.After(now) { // clocks may be set back
			s.At = now
		}
		if n := p.slice(s.At); s.At.After(p.start) {
			p.counts[n%int64(len(p.counts))] += s.Count
			p.seen += s.Count
		}
	}
}

// nextChange returns how long it takes until the count can get smaller: the oldest
// slice leaves the window, or an open request settles.
func (p *pacer) nextChange(now time.Time) time.Duration {
	for n := max(0, p.newest-windowSlices); n <= p.newest; n++ {
		if p.counts[n%int64(len(p.counts))] > 0 {
			leaves := p.start.Add(time.Duration(n+windowSlices+1) * (p.window / windowSlices))
			return max(time.Millisecond, leaves.Sub(now))
		}
	}
	return p.settleAfter() / 10 // all that counts is open
}

// sent notes that the request is on its way.
func (t *ticket) sent() {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	t.written = time.Now()
}

// done notes that the request was answered, or will not be seen any more.
func (t *ticket) done() {
	if t.p.limit == 0 {
		return
	}
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	if i := slices.Index(t.p.open, t); i >= 0 {
		t.p.open = slices.Delete(t.p.open, i, i+1)
		t.p.see(time.Now())
	}
}

// pause keeps all tickets back for d. If slower, the pace is halved too: other
// clients share the limit.
func (p *pacer) pause(d time.Duration, slower bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if slower && !now.Before(p.until) { // once for all requests that were on their way
		p.share = max(p.share/2, 1.0/64)
		p.bucket.SetLimit(p.bucketLimit())
	}
	if until := now.Add(d); until.After(p.until) {
		p.until = until
	}
}

// recover raises a pace that was halved by a little: a window's worth of calls
// takes it from nothing to the whole.
func (p *pacer) recover() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.share < 1 {
		p.share = min(1, p.share+1/float64(max(1, p.limit)))
		p.bucket.SetLimit(p.bucketLimit())
	}
}

// sleep waits for d or until ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
