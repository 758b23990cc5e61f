package sandbox

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Fault is what goes wrong with one request.
type Fault int

// The faults. All of them but Lost come before anything is applied.
const (
	None            Fault = iota
	TooManyRequests       // 429 with Retry-After: 1
	ServerError           // 500
	Reset                 // the connection is reset
	Lost                  // the answer is: the request is applied, then the connection is reset
)

// draw asks for the fault of an admitted request and counts it.
func (s *Sandbox) draw(r *http.Request) Fault {
	if s.opts.Fault == nil {
		return None
	}
	f := s.opts.Fault(r)
	if f != None {
		s.mu.Lock()
		s.counts.Faults++
		s.mu.Unlock()
	}
	return f
}

// ParseFaults returns a function for [Options] that gives each request a fault
// at random. A spec is a kind and its share of the requests: 429=5%, 500=1%,
// reset=1% or lost=0.5%. The same seed draws the same faults in the same order.
func ParseFaults(specs []string, seed uint64) (func(*http.Request) Fault, error) {
	kinds := map[string]Fault{"429": TooManyRequests, "500": ServerError, "reset": Reset, "lost": Lost}
	var shares [Lost + 1]float64 // in percent
	var given [Lost + 1]bool
	var sum float64
	for _, spec := range specs {
		kind, share, _ := strings.Cut(spec, "=")
		fault, ok := kinds[kind]
		if !ok {
			return nil, fmt.Errorf("fault %q: unknown kind, want 429, 500, reset or lost, as in 429=5%%", spec)
		}
		if given[fault] {
			return nil, fmt.Errorf("fault %q: %s is given twice", spec, kind)
		}
		number, ok := strings.CutSuffix(share, "%")
		percent, err := strconv.ParseFloat(number, 64)
		if !ok || err != nil || !(percent >= 0 && percent <= 100) {
			return nil, fmt.Errorf("fault %q: the share must be between 0%% and 100%%, as in %s=5%%", spec, kind)
		}
		shares[fault], given[fault] = percent, true
		sum += percent
	}
	if sum > 100+1e-9 { // 33.3 + 33.3 + 33.4 is a little more
		return nil, fmt.Errorf("faults add up to %g%%, at most 100%% is possible", sum)
	}

	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, 0))
	return func(*http.Request) Fault {
		mu.Lock()
		x := 100 * rng.Float64()
		mu.Unlock()
		for fault, share := range shares {
			if x < share {
				return Fault(fault)
			}
			x -= share
		}
		return None
	}, nil
}

// hangUp resets the connection, or the stream where the connection serves
// several of them.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0) // or it would be closed in good order
	}
	conn.Close()
}
