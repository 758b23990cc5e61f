package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	stdsync "sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// listening is a web server on a real port.
type listening struct {
	net.Listener
	t       *testing.T
	address string
	mu      stdsync.Mutex
	open    int // connections that the server has
	most    int // of these at a time
}

// Accept counts connections.
func (s *listening) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s.count(1)
	return &counted{Conn: c, s: s}, nil
}

func (s *listening) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open += n
	s.most = max(s.most, s.open)
}

type counted struct {
	net.Conn
	s    *listening
	once stdsync.Once
}

// Close frees the descriptor before it returns.
func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { c.s.count(-1) })
	return err
}

// listen serves the pages of w.
func (w *world) listen(t *testing.T) *listening {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &listening{Listener: l, t: t, address: l.Addr().String()}
	web := w.server.Web(nil)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = web.Serve(s)
	}()
	t.Cleanup(func() {
		web.Close()
		<-ended
	})
	return s
}

func (s *listening) connections() (now, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open, s.most
}

// dial connects n times and writes a text each time.
func (s *listening) dial(n int, text string) []net.Conn {
	s.t.Helper()
	var all []net.Conn
	for range n {
		c, err := net.Dial("tcp", s.address)
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { c.Close() })
		_, _ = io.WriteString(c, text) // it may be closed by now
		all = append(all, c)
	}
	return all
}

// alive checks that a probe is answered at once.
func (s *listening) alive() {
	s.t.Helper()
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + s.address + "/healthz")
	if err != nil {
		s.t.Errorf("the probe: %v", err)
		return
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		s.t.Errorf("the probe: %s", answer.Status)
	}
}

// empties waits until the server has no connection any more, and checks that it never had
// too many.
func (s *listening) empties(within time.Duration, limit int) {
	s.t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(10 * time.Millisecond) {
		now, most := s.connections()
		if most > limit+1 { // the one that closes another
			s.t.Errorf("%d connections at a time, want %d", most, limit)
			return
		}
		if now == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Errorf("after %s there are %d connections", within, now)
			return
		}
	}
}

// fill stores so many reports of that size.
func (w *world) fill(reports, size int) {
	w.t.Helper()
	store, err := state.Open(w.server.config.Load().State)
	if err != nil {
		w.t.Fatal(err)
	}
	note := strings.Repeat("n", size)
	for n := range reports {
		id := fmt.Sprintf("20000101T%06d", n)
		text, err := json.Marshal(runs.Report{Run: id, Command: "plan", Outcome: runs.Planned, Notes: []string{note}})
		if err != nil {
			w.t.Fatal(err)
		}
		if err := store.Finish(state.Result{Run: id, Report: text}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// heap measures how large the heap gets while fn is at work.
func heap(fn func()) (most uint64) {
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var m runtime.MemStats
		for tick := time.NewTicker(10 * time.Millisecond); ; {
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse)
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	fn()
	close(stop)
	<-ended
	return most
}

// TestReadersThatDoNotRead: clients who ask for much and take none of it cost little memory,
// are cut off, and keep neither a run nor a probe from its work.
func TestReadersThatDoNotRead(t *testing.T) {
	t.Parallel() // it waits
	w := newWorld(t, false)
	w.fill(500, 70_000)
	limits := &w.server.limits
	limits.write, limits.idle = time.Duration(rounds.Of(1, 2))*time.Second, 2*time.Second
	for n, path := range []string{"/api/runs?limit=500", "/"} {
		t.Run(path, func(t *testing.T) {
			s := w.listen(t)
			var clients []net.Conn
			most := heap(func() {
				clients = s.dial(150, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
				s.alive()
				w.export("u1", "u2", fmt.Sprint("new", n))
				if r := w.once(); r.Outcome != runs.Complete || r.Contacts.Sent == 0 {
					t.Errorf("the sync beside it: %+v", r)
				}
				for range 10 { // as long as the clients are there
					s.alive()
					time.Sleep(limits.write / 10)
				}
				s.empties(limits.write+20*time.Second, limits.connections)
			})
			t.Logf("the heap had %d MiB", most>>20)
			if most > 200<<20 { // 64 pieces, and the collector lets as much again pile up
				t.Errorf("the heap had %d MiB", most>>20)
			}
			text, _ := io.ReadAll(clients[149])
			if n == 0 && (len(text) > 30_000_000 || strings.HasSuffix(string(text), "0\r\n\r\n")) {
				t.Errorf("the client was not cut off: %d bytes", len(text))
			}
		})
	}
}

// TestHalfOpen: connections on which nothing is asked are closed, and keep no place that
// somebody else needs.
func TestHalfOpen(t *testing.T) {
	t.Parallel() // it waits
	w := newWorld(t, false)
	w.server.limits.read = 2 * time.Second
	s := w.listen(t)
	for _, text := range []string{"", "GET / HT", "POST /contact HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 5\r\n\r\nid"} {
		s.dial(170, text)
		s.alive()
	}
	if r := w.once(); r.Outcome != runs.Complete {
		t.Errorf("the sync beside it: %+v", r)
	}
	s.empties(w.server.limits.read+10*time.Second, w.server.limits.connections)
}

// TestLimits: most descriptors are left to runs, and nothing that a client can draw out is
// without a limit.
func TestLimits(t *testing.T) {
	w := newWorld(t, false)
	if n := w.server.limits.connections; n < 4 || n > 64 || n > max(4, descriptors()/8) {
		t.Errorf("%d connections of %d descriptors", n, descriptors())
	}
	web := w.server.Web(nil)
	if web.ReadTimeout == 0 || web.ReadHeaderTimeout == 0 || web.WriteTimeout == 0 || web.IdleTimeout == 0 || web.MaxHeaderBytes == 0 {
		t.Errorf("%+v", web)
	}
}

// TestCrowd: who goes when there is one too many.
func TestCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crowd := crowd{most: 3, all: map[net.Conn]place{}}
		names := map[net.Conn]string{}
		conns := map[string]net.Conn{}
		step := func(name string, state http.ConnState) {
			if conns[name] == nil {
				c, other := net.Pipe()
				t.Cleanup(func() { other.Close() })
				conns[name], names[c] = c, name
			}
			time.Sleep(time.Second)
			crowd.watch(conns[name], state)
		}
		has := func(want string) {
			t.Helper()
			got := ""
			for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
				if _, ok := crowd.all[conns[name]]; ok && conns[name] != nil {
					got += name
				}
			}
			if got != want {
				t.Errorf("%s are there, want %s", got, want)
			}
		}
		step("a", http.StateNew)
		step("a", http.StateActive)
		step("b", http.StateNew)
		step("c", http.StateNew)
		step("c", http.StateActive)
		step("c", http.StateIdle)
		has("abc")
		step("d", http.StateNew) // b did not ask for longer than c
		has("acd")
		step("b", http.StateActive) // too late
		has("acd")
		step("b", http.StateClosed)
		step("d", http.StateActive)
		step("e", http.StateNew)
		has("ade")
		step("e", http.StateActive)
		step("f", http.StateNew) // all are answered: a for longest
		has("def")
		step("d", http.StateClosed)
		has("ef")
		if _, err := conns["a"].Write([]byte("x")); err == nil {
			t.Error("it is still open")
		}
	})
}

// TestMaking: answers are made a few at a time, who waits for too long hears so, and who went
// away does not wait.
func TestMaking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		var now, most, made atomic.Int64
		h := w.server.made(func(w http.ResponseWriter, r *http.Request) {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			time.Sleep(2 * time.Second)
			made.Add(1)
		})
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		get(h, "/", func(r *http.Request) { *r = *r.WithContext(gone) }) // there is room, or there is not
		made.Store(0)
		var all stdsync.WaitGroup
		var busy atomic.Int64
		for range 20 {
			all.Go(func() {
				if get(h, "/").Code == http.StatusServiceUnavailable {
					busy.Add(1)
				}
			})
		}
		started := time.Now()
		all.Wait()
		if most.Load() != 2 || made.Load() != 6 || busy.Load() != 14 || time.Since(started) != 6*time.Second {
			t.Errorf("%d at a time, %d made, %d refused in %s", most.Load(), made.Load(), busy.Load(), time.Since(started))
		}
	})
}

// TestSlowReaderKeepsNoTurn: an answer that nobody takes does not keep others from being made.
func TestSlowReaderKeepsNoTurn(t *testing.T) {
	w := newWorld(t, false)
	h := w.server.made(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	writing, gate := make(chan struct{}, 2), make(chan struct{})
	var slow stdsync.WaitGroup
	for range 2 {
		slow.Go(func() {
			h.ServeHTTP(slowWriter{httptest.NewRecorder(), writing, gate}, httptest.NewRequest("GET", "/", nil))
		})
	}
	<-writing
	<-writing
	if got := get(h, "/").Body.String(); got != "ok" {
		t.Errorf("%q", got)
	}
	close(gate)
	slow.Wait()
}

type slowWriter struct {
	http.ResponseWriter
	writing chan<- struct{}
	gate    <-chan struct{}
}

func (s slowWriter) Write(p []byte) (int, error) {
	s.writing <- struct{}{}
	<-s.gate
	return len(p), nil
}

// TestPieces: an answer in pieces is the same as one in one, and one that breaks off is not
// taken for one that is complete.
func TestPieces(t *testing.T) {
	w := newWorld(t, false)
	h := w.handler()
	if got := get(h, "/api/runs").Body.String(); got != "[]\n" {
		t.Errorf("without a state: %q", got)
	}
	w.fill(12, 1000)
	want := get(h, "/api/runs").Body.String()
	var all []runs.Report
	if err := json.Unmarshal([]byte(want), &all); err != nil || len(all) != 12 || all[11].Run != "20000101T000000" || !strings.HasSuffix(want, "]\n") {
		t.Fatalf("%d reports, %v", len(all), err)
	}
	for _, piece := range []int{1, 5000} {
		w.server.limits.piece = piece
		if got := get(h, "/api/runs").Body.String(); got != want {
			t.Errorf("in pieces of %d bytes: %d bytes, want %d", piece, len(got), len(want))
		}
		var some []runs.Report
		if err := json.Unmarshal(get(h, "/api/runs?limit=7").Body.Bytes(), &some); err != nil || len(some) != 7 || some[6].Run != all[6].Run {
			t.Errorf("in pieces of %d bytes: %d reports, %v", piece, len(some), err)
		}
	}

	w.server.limits.piece = 1
	w.server.o.Log = slog.New(slog.DiscardHandler)
	s := w.listen(t)
	answer, err := http.Get("http://" + s.address + "/api/runs?limit=500")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	w.put("gleapsync.db", "rubbish")
	if _, err := io.ReadAll(answer.Body); err == nil {
		t.Error("an answer that broke off looks complete")
	}
}

// TestLongLookUp: reading exports may take longer than a client has to take an answer.
func TestLongLookUp(t *testing.T) {
	w := newWorld(t, false)
	starts := w.counted()
	w.once()
	before := starts()
	w.server.limits.read, w.server.limits.write = 100*time.Millisecond, 100*time.Millisecond
	s := w.listen(t)
	w.put("wait", "")
	answered := make(chan error)
	go func() {
		answer, err := http.PostForm("http://"+s.address+"/contact", url.Values{"id": {"u1"}})
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				err = fmt.Errorf("status %d", answer.StatusCode)
			}
		}
		answered <- err
	}()
	for starts() == before {
		runtime.Gosched()
	}
	s.outlive(2) // others are cut off meanwhile
	if err := os.Remove(filepath.Join(w.dir, "wait")); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// outlive opens n connections and waits until the server has closed them.
func (s *listening) outlive(n int) {
	s.t.Helper()
	for _, c := range s.dial(n, "GET / HT") {
		buf := make([]byte, 4096)
		for {
			if _, err := c.Read(buf); err != nil {
				break
			}
		}
	}
}
