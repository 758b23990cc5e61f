package gleap

import (
	"context"
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
// goes by the latest time at which Gleap can have seen a request: until its answer or
// its time-out it counts as seen now, however long that takes, and then for a window.
//
// Its times are durations since a window before it began, by the monotonic clock: there
// is no wall clock in here that somebody could set.
type pacer struct {
	limit  int // requests per window, 0: no limit
	window time.Duration
	bucket *rate.Limiter
	now    func() time.Duration

	mu     sync.Mutex
	counts [windowSlices + 1]int // requests seen, by slice of time
	newest int64                 // the slice that counts holds last
	seen   int                   // the sum of counts
	open   int                   // requests of which it is not known yet when they were seen
	taken  int                   // tickets so far
	until  time.Duration         // nothing is sent before: Gleap asked for it
	share  float64               // of the limit that is used: less after a 429
}

// windowSlices is how finely the window is counted; the coarseness costs one slice
// of a window, 0.1 %.
const windowSlices = 1000

// spread is how much faster than the limit the bucket may run, so that time lost to
// a stall can be made up for. The count of the window is what holds the limit.
const spread = 1.05

func newPacer(limit int, window time.Duration) *pacer {
	began := time.Now() // with a monotonic reading, which Since goes by
	p := &pacer{limit: limit, window: window, share: 1, now: func() time.Duration { return window + time.Since(began) }}
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
type ticket struct{ p *pacer }

// take waits for a ticket.
func (p *pacer) take(ctx context.Context) (*ticket, error) {
	if p.limit > 0 && p.bucket.Wait(ctx) != nil {
		<-ctx.Done() // at once, or the bucket sees that its turn comes after the deadline
	}
	for ctx.Err() == nil {
		wait := p.tryTake(p.now())
		if wait == 0 {
			return &ticket{p}, nil
		}
		_ = sleep(ctx, wait)
	}
	return nil, ctx.Err()
}

// tryTake takes a ticket and returns 0, or else how long to wait before trying again.
func (p *pacer) tryTake(now time.Duration) (wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait := p.until - now; wait > 0 {
		return wait
	}
	if p.limit > 0 {
		if wait := p.nextFree(now); wait > 0 {
			return wait
		}
		p.open++
	}
	p.taken++
	return 0
}

// wait returns how long it takes at least until there is a ticket.
func (p *pacer) wait() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.limit == 0 {
		return 0
	}
	return p.nextFree(p.now())
}

// slice returns the number of the slice of time in which t lies.
func (p *pacer) slice(t time.Duration) int64 {
	return int64(t / (p.window / windowSlices))
}

// advance forgets the slices that left the window.
func (p *pacer) advance(now time.Duration) {
	current := p.slice(now)
	for n := max(p.newest+1, current-windowSlices); n <= current; n++ {
		i := n % int64(len(p.counts))
		p.seen -= p.counts[i]
		p.counts[i] = 0
	}
	p.newest = max(p.newest, current)
}

// done notes that the request was answered, or will not be seen any more.
func (t *ticket) done() {
	p := t.p
	if p.limit == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
	p.advance(p.now())
	p.counts[p.newest%int64(len(p.counts))]++
	p.seen++
}

// tickets returns how many were taken.
func (p *pacer) tickets() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}

// past says how many requests Gleap saw at some time.
type past struct {
	age   time.Duration
	count int
}

// groups is how many parts of a window [pacer.history] tells apart.
const groups = 50

// history returns what Gleap has seen within the window that ends now. Each count is
// dated at the end of its part of the window; what is open counts as seen now.
func (p *pacer) history() []past {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.limit == 0 {
		return nil
	}
	now := p.now()
	p.advance(now)
	var all []past
	const part = windowSlices / groups
	for n := max(0, p.newest-windowSlices); n <= p.newest; n++ {
		count := p.counts[n%int64(len(p.counts))]
		if count == 0 {
			continue
		}
		age := max(0, now-time.Duration((n/part+1)*part)*(p.window/windowSlices))
		if last := len(all) - 1; last >= 0 && all[last].age == age {
			all[last].count += count
		} else {
			all = append(all, past{age, count})
		}
	}
	if p.open > 0 {
		all = append(all, past{0, p.open})
	}
	return all
}

// resume makes the pacer go on where others, of this project, have stopped.
func (p *pacer) resume(before []past) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.limit == 0 {
		return
	}
	now := p.now()
	p.advance(now)
	for _, b := range before {
		if b.age < p.window {
			p.counts[p.slice(now-b.age)%int64(len(p.counts))] += b.count
			p.seen += b.count
		}
	}
}

// nextFree returns how long it takes until enough slices have left the window for one
// request more, 0 if there is room for it.
func (p *pacer) nextFree(now time.Duration) time.Duration {
	p.advance(now)
	over := p.seen + p.open - p.limit
	if over < 0 {
		return 0
	}
	for n := max(0, p.newest-windowSlices); n <= p.newest; n++ {
		if over -= p.counts[n%int64(len(p.counts))]; over < 0 {
			leaves := time.Duration(n+windowSlices+1) * (p.window / windowSlices)
			return max(time.Millisecond, leaves-now)
		}
	}
	return p.window // what is open counts for a window more
}

// pause keeps all tickets back for d. If slower, the pace is halved too: other
// clients share the limit.
func (p *pacer) pause(d time.Duration, slower bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if slower && now >= p.until { // once for all requests that were on their way
		p.share = max(p.share/2, 1.0/64)
		p.bucket.SetLimit(p.bucketLimit())
	}
	p.until = max(p.until, now+d)
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
