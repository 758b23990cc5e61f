package sandbox

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options configure a [Sandbox]. The zero value accepts any token, limits
// nothing and answers at once.
type Options struct {
	Token   string        // the only accepted Api-Token; "" accepts any but an empty one
	Rate    int           // requests accepted in any Window; 0: no limit
	Window  time.Duration // 0: 60 s
	Latency time.Duration // waited before every answer, as long as the client does
	Refuse  []string      // user ids of contacts of which no identify call is taken

	// Fault is consulted for each request that passed the token and the limit;
	// nil: no faults. It is called concurrently and must not read the body.
	Fault func(r *http.Request) Fault
}

// Sandbox plays one Gleap project. It is safe for concurrent use.
type Sandbox struct {
	opts  Options
	start time.Time

	mu       sync.Mutex
	limit    limit
	counts   Counts // but for Contacts, Events and PeakInWindow
	contacts map[string]*Contact
	events   []Event
}

// New returns a project without contacts.
func New(o Options) *Sandbox {
	if o.Window <= 0 {
		o.Window = time.Minute
	}
	return &Sandbox{
		opts:     o,
		start:    time.Now(),
		limit:    limit{rate: o.Rate, window: o.Window},
		contacts: make(map[string]*Contact),
	}
}

// Counts say what a [Sandbox] has seen so far.
type Counts struct {
	Requests int `json:"requests"` // arrived with the right token, whatever became of them

	Identify int `json:"identify"` // applied, as are the next three
	Track    int `json:"track"`
	Auth     int `json:"auth"`
	Delete   int `json:"delete"`

	RateLimited int `json:"rate_limited"` // refused by the limit; a fault's 429 is one of Faults
	Refused     int `json:"refused"`      // refused with any other 4xx, a wrong token aside
	Faults      int `json:"faults"`

	Contacts int `json:"contacts"` // held now
	Events   int `json:"events"`   // held now

	// PeakInWindow is the largest number of Requests that arrived within one
	// window, wherever it starts: above the rate, the client overshot. It is 0
	// where there is no limit.
	PeakInWindow int `json:"peak_in_window"`
}

// Counts returns what was counted so far.
func (s *Sandbox) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	c.Contacts = len(s.contacts)
	c.Events = len(s.events)
	c.PeakInWindow = s.limit.peak
	return c
}

// ServeHTTP answers as Gleap would, or as the fault that was drawn wants it.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/sandbox/") {
		s.view(w, r)
		return
	}
	fault := None
	status, err := s.admit(w, r)
	if err == nil {
		fault = s.draw(r)
		status, err = s.serve(w, r, fault)
	}
	s.wait(r)
	if fault == Reset || fault == Lost {
		hangUp(w)
		return
	}
	reply(w, status, err)
}

// admit checks the token and counts the arrival against the limit.
func (s *Sandbox) admit(w http.ResponseWriter, r *http.Request) (int, error) {
	token := r.Header.Get("Api-Token")
	if token == "" || s.opts.Token != "" && token != s.opts.Token {
		return http.StatusUnauthorized, errors.New("the Api-Token is missing or wrong")
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Requests++
	if s.opts.Rate <= 0 {
		return http.StatusOK, nil
	}
	// The clock is read under the lock, so that arrivals are in order.
	remaining, retryAfter := s.limit.arrive(time.Since(s.start))
	w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(remaining))
	if retryAfter == 0 {
		return http.StatusOK, nil
	}
	s.counts.RateLimited++
	seconds := (retryAfter + time.Second - 1) / time.Second
	w.Header().Set("Retry-After", strconv.Itoa(int(seconds)))
	return http.StatusTooManyRequests, errors.New("too many requests")
}

// serve applies an admitted request, unless a fault comes first.
func (s *Sandbox) serve(w http.ResponseWriter, r *http.Request, fault Fault) (int, error) {
	switch fault {
	case TooManyRequests:
		// As if another client of the project had used the limit up.
		if s.opts.Rate > 0 {
			w.Header().Set("X-RateLimit-Remaining", "0")
		}
		w.Header().Set("Retry-After", "1")
		return http.StatusTooManyRequests, errors.New("too many requests")
	case ServerError:
		return http.StatusInternalServerError, errors.New("internal server error")
	case Reset:
		return 0, nil
	}
	status, err := s.route(w, r)
	if err != nil {
		s.count(&s.counts.Refused)
	}
	return status, err
}

func (s *Sandbox) route(w http.ResponseWriter, r *http.Request) (int, error) {
	var method string
	var apply func(*http.Request) (int, error)
	path := r.URL.EscapedPath() // escaped, because a user id may hold a slash
	id, isContact := strings.CutPrefix(path, contactPath)
	switch {
	case path == "/admin/identify":
		method, apply = http.MethodPost, s.identify
	case path == "/admin/track":
		method, apply = http.MethodPost, s.track
	case path == "/admin/auth":
		method, apply = http.MethodGet, s.auth
	case isContact && id != "" && !strings.Contains(id, "/"):
		method, apply = http.MethodDelete, s.delete
	default:
		return http.StatusNotFound, errors.New("unknown route")
	}
	if r.Method != method {
		w.Header().Set("Allow", method)
		return http.StatusMethodNotAllowed, errors.New("wrong method, want " + method)
	}
	return apply(r)
}

func (s *Sandbox) identify(r *http.Request) (int, error) {
	o, status, err := readObject(r)
	if err != nil {
		return status, err
	}
	if err := checkContact(o); err != nil {
		return http.StatusBadRequest, err
	}
	if slices.Contains(s.opts.Refuse, o.values["userId"].(string)) {
		return http.StatusBadRequest, errors.New("userId: the sandbox was told to refuse this contact")
	}
	s.merge(o, r.URL.Query().Get("preventLastActivityUpdate") == "true")
	return http.StatusOK, nil
}

func (s *Sandbox) track(r *http.Request) (int, error) {
	o, status, err := readObject(r)
	if err != nil {
		return status, err
	}
	events, err := parseEvents(o)
	if err != nil {
		return http.StatusBadRequest, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, events...)
	s.counts.Track++
	return http.StatusOK, nil
}

func (s *Sandbox) auth(*http.Request) (int, error) {
	s.count(&s.counts.Auth)
	return http.StatusOK, nil
}

// contactPath stands before an escaped user id.
const contactPath = "/admin/contacts/"

func (s *Sandbox) delete(r *http.Request) (int, error) {
	id, err := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), contactPath))
	if err != nil {
		return http.StatusBadRequest, errors.New("the user id is not properly escaped")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.contacts[id] == nil {
		return http.StatusNotFound, errors.New("no such contact")
	}
	delete(s.contacts, id)
	s.counts.Delete++
	return http.StatusOK, nil
}

// count adds one to a member of s.counts.
func (s *Sandbox) count(n *int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n++
}

// wait lets the latency pass, or what of it the client waits for.
func (s *Sandbox) wait(r *http.Request) {
	if s.opts.Latency <= 0 {
		return
	}
	// A server notices that its client has gone only after the whole body.
	io.Copy(io.Discard, io.LimitReader(r.Body, maxBody))
	timer := time.NewTimer(s.opts.Latency)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

// reply writes a small JSON answer: the error, if there is one.
func reply(w http.ResponseWriter, status int, err error) {
	answer := map[string]any{"success": true}
	if err != nil {
		answer = map[string]any{"error": err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer)
}
