package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// server stands for Gleap: it takes every call and counts.
type server struct {
	url string

	mu     sync.Mutex
	calls  int
	bytes  int64 // of bodies
	first  time.Time
	stamps []time.Time // when each call came, if kept
	seen   changes     // what the calls said, if kept
	keep   bool
	err    error

	known   map[string]map[string]string // of each contact, after all calls; nil: not kept
	nothing int                          // calls that said nothing that was not known
	last    int                          // the call after which to stop the sender; 0: none
	stopped func()
}

func newServer() (*server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{url: "http://" + listener.Addr().String()}
	go http.Serve(listener, s)
	return s, nil
}

// reset forgets all calls; keep says whether those to come are looked into.
func (s *server) reset(keep bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls, s.bytes, s.first, s.stamps, s.seen, s.keep, s.err = 0, 0, time.Time{}, nil, changes{}, keep, nil
	s.nothing, s.last = 0, 0
}

// atCall has something done at a call.
func (s *server) atCall(n int, stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.stopped = n, stop
}

// ServeHTTP takes one Identify Contact call.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // who called was killed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls == 0 {
		s.first = now
	}
	s.calls++
	s.bytes += int64(len(body))
	if s.keep {
		s.stamps = append(s.stamps, now)
		err = s.seen.addCall(body)
	}
	if s.known != nil && err == nil {
		err = s.learn(body)
	}
	if s.last > 0 && s.calls >= s.last {
		s.stopped()
	}
	if err != nil && s.err == nil {
		s.err = err
	}
}

// addCall adds what a call says.
func (c *changes) addCall(body []byte) error {
	userID, values, err := readCall(body)
	if err != nil {
		return err
	}
	c.contacts++
	for key, value := range values {
		c.add(userID, key, value)
	}
	return nil
}

// learn takes what a call says as known.
func (s *server) learn(body []byte) error {
	userID, values, err := readCall(body)
	if err != nil {
		return err
	}
	contact, isNew := s.known[userID], false
	if contact == nil {
		contact = map[string]string{}
		s.known[userID] = contact
	}
	for key, value := range values {
		isNew = isNew || contact[key] != value
		contact[key] = value
	}
	if !isNew {
		s.nothing++
	}
	return nil
}

// readCall returns the values of a call, as text.
func readCall(body []byte) (userID string, values map[string]string, err error) {
	var contact map[string]any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&contact); err != nil {
		return "", nil, err
	}
	userID, _ = contact["userId"].(string)
	delete(contact, "userId")
	values = map[string]string{}
	for key, value := range contact {
		switch value := value.(type) {
		case bool:
			values[key] = strconv.FormatBool(value)
		case json.Number:
			values[key] = value.String()
		case string:
			values[key] = value
		}
	}
	return userID, values, nil
}

// fullest returns the most calls that came within any window.
func fullest(stamps []time.Time, window time.Duration) int {
	slices.SortFunc(stamps, time.Time.Compare)
	most, from := 0, 0
	for i, t := range stamps {
		for t.Sub(stamps[from]) >= window {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// callBare makes calls with nothing but net/http, so many at a time, with bodies of one
// size.
func callBare(url string, calls, size, concurrency int) error {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: concurrency}}
	body := bytes.Repeat([]byte{'x'}, size)
	errs := make(chan error)
	for worker := range concurrency {
		go func() {
			errs <- func() error {
				for n := worker; n < calls; n += concurrency {
					request, err := http.NewRequest("POST", url+"/admin/identify", bytes.NewReader(body))
					if err != nil {
						return err
					}
					request.Header.Set("Content-Type", "application/json")
					request.Header.Set("Api-Token", "bench")
					response, err := client.Do(request)
					if err != nil {
						return err
					}
					if _, err := io.Copy(io.Discard, response.Body); err != nil {
						return err
					}
					response.Body.Close()
				}
				return nil
			}()
		}()
	}
	var first error
	for range concurrency {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}
