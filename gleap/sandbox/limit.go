package sandbox

import "time"

// limit is a strictly rolling rate limit: two requests share a window when less
// than its length lies between them. It is not safe for concurrent use.
type limit struct {
	rate   int
	window time.Duration

	accepted recent // decides: a refusal must not put off the next acceptance
	arrived  recent // refused ones too, for the peak
	peak     int
}

// arrive counts a request at the given moment, which never lies before the last
// one. It returns how many more would be accepted at this moment and, for a
// request that is refused, how long to wait; an accepted one has nothing to
// wait for.
func (l *limit) arrive(at time.Duration) (remaining int, retryAfter time.Duration) {
	l.arrived.forget(at - l.window)
	l.arrived.add(at)
	l.peak = max(l.peak, l.arrived.len())

	l.accepted.forget(at - l.window)
	if l.accepted.len() >= l.rate {
		return 0, l.accepted.first() + l.window - at
	}
	l.accepted.add(at)
	return l.rate - l.accepted.len(), 0
}

// recent is a queue of moments in ascending order, oldest first.
type recent struct {
	moments []time.Duration
	head    int // the ones before it are forgotten
}

func (q *recent) len() int { return len(q.moments) - q.head }

func (q *recent) first() time.Duration { return q.moments[q.head] }

// forget drops the moments up to and including the given one.
func (q *recent) forget(until time.Duration) {
	for q.len() > 0 && q.first() <= until {
		q.head++
	}
}

// add appends a moment. Where the slice is full and half forgotten it is
// reused, so that it stays within twice the longest queue.
func (q *recent) add(at time.Duration) {
	if len(q.moments) == cap(q.moments) && q.head >= q.len() {
		q.moments = q.moments[:copy(q.moments, q.moments[q.head:])]
		q.head = 0
	}
	q.moments = append(q.moments, at)
}
