package serve

import (
	"bytes"
	"cmp"
	"log/slog"
	"net"
	"net/http"
	stdsync "sync"
	"time"
)

// limits keep those who ask from taking what a run needs: descriptors, memory and the state.
type limits struct {
	connections int           // at a time
	making      int           // answers that are made at a time
	queue       time.Duration // that a request waits for its turn at that
	read        time.Duration // until a request is there
	write       time.Duration // until an answer, or a piece of a long one, is taken
	idle        time.Duration // between two requests
	piece       int           // bytes of a long answer that are in memory
}

func usualLimits() limits {
	return limits{
		// An eighth of the descriptors at most: the others are those of runs.
		connections: min(64, max(4, descriptors()/8)),
		making:      2, queue: 5 * time.Second,
		read: 10 * time.Second, write: 30 * time.Second, idle: 2 * time.Minute,
		piece: 512 << 10,
	}
}

// desk answers those who ask, within the limits.
type desk struct {
	log    *slog.Logger
	limits limits
	making chan struct{} // taken while an answer is made
	lookUp chan struct{} // taken while exports are read for somebody
}

func newDesk(log *slog.Logger) *desk {
	limits := usualLimits()
	return &desk{log, limits, make(chan struct{}, limits.making), make(chan struct{}, 1)}
}

// Web returns a web server of [site.Handler] that holds its own against clients who send
// or take nothing, and against many of them.
func (s *site) Web(a *Auth) *http.Server { return s.web(s.Handler(a)) }

func (d *desk) web(handler http.Handler) *http.Server {
	crowd := crowd{most: d.limits.connections, all: map[net.Conn]place{}}
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: d.limits.read, ReadTimeout: d.limits.read, WriteTimeout: d.limits.write, IdleTimeout: d.limits.idle,
		MaxHeaderBytes: 16 << 10,
		ConnState:      crowd.watch,
		ErrorLog:       slog.NewLogLogger(d.log.Handler(), slog.LevelDebug),
	}
}

// crowd bounds the connections. One that is too many closes another instead of waiting, so
// that a probe is answered whoever holds all the others.
type crowd struct {
	most int
	mu   stdsync.Mutex
	all  map[net.Conn]place
}

type place struct {
	answering bool
	since     time.Time
}

// before reports whether a connection goes sooner than another one: those that do not ask
// before those that are answered, and of these the one of which that is true for longest.
func (p place) before(other place) bool {
	if p.answering != other.answering {
		return other.answering
	}
	return p.since.Before(other.since)
}

// watch is told what becomes of each connection: see [http.Server.ConnState].
func (c *crowd) watch(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, known := c.all[conn]
	switch {
	case state == http.StateClosed || state == http.StateHijacked:
		delete(c.all, conn)
	case state == http.StateNew || known: // else it was closed here
		c.all[conn] = place{state == http.StateActive, time.Now()}
	}
	if len(c.all) <= c.most {
		return
	}
	var first net.Conn
	for other, p := range c.all {
		if other != conn && (first == nil || p.before(c.all[first])) {
			first = other
		}
	}
	delete(c.all, first)
	first.Close()
}

// made has an answer made in memory, a few at a time so that this memory is bounded, and
// then sent: a reader that is slow keeps nobody else from being answered.
func (d *desk) made(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		late := time.NewTimer(d.limits.queue)
		defer late.Stop()
		select {
		case d.making <- struct{}{}:
		case <-r.Context().Done():
			return
		case <-late.C:
			w.Header().Set("Retry-After", "5")
			http.Error(w, "too many ask at a time: try again", http.StatusServiceUnavailable)
			return
		}
		answer := &answer{ResponseWriter: w}
		func() {
			defer func() { <-d.making }()
			next(answer, r)
		}()
		d.extend(w)
		w.WriteHeader(cmp.Or(answer.status, http.StatusOK))
		_, _ = answer.body.WriteTo(w) // a reader that went away is nothing to us
	}
}

// answer is one that is not sent yet.
type answer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// extend gives a client the usual time from now on. Where w has no deadlines, as in tests,
// there are none to change.
func (d *desk) extend(w http.ResponseWriter) { setDeadline(w, time.Now().Add(d.limits.write)) }

// setDeadline sets until when a client has to take what comes. The other deadline has to go
// along, even though the request is there: it would end the request's context.
func setDeadline(w http.ResponseWriter, t time.Time) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(t)
	_ = control.SetWriteDeadline(t)
}
