//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	stdsync "sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gleapsync/gleap/sandbox"
)

// served is a process that serves a project.
type served struct {
	t   *testing.T
	cmd *exec.Cmd
	url string
	mu  stdsync.Mutex
	log strings.Builder
	end chan struct{} // closed when the log ended
}

// serve starts gleapsync serve on a free port and waits until it listens.
func (p *project) serve(t *testing.T, args ...string) *served {
	t.Helper()
	return p.serveWith(t, func(*exec.Cmd) {}, args...)
}

// serveWith does so after a change of the command.
func (p *project) serveWith(t *testing.T, change func(*exec.Cmd), args ...string) *served {
	t.Helper()
	s := &served{t: t, cmd: p.command(append([]string{"serve", "--listen", "127.0.0.1:0", "--log-format", "json"}, args...)...), end: make(chan struct{})}
	change(s.cmd)
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.cmd.Process.Kill() })
	address := make(chan string, 1)
	go func() {
		defer close(s.end)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			s.mu.Lock()
			s.log.WriteString(lines.Text() + "\n")
			s.mu.Unlock()
			var line struct{ Msg, Address string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
				address <- line.Address
			}
		}
	}()
	select {
	case s.url = <-address:
	case <-s.end:
		t.Fatalf("it does not serve: %s", s.log.String())
	}
	return s
}

// logged waits until the log has a text.
func (s *served) logged(text string) {
	s.t.Helper()
	s.until("the log has "+text, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return strings.Contains(s.log.String(), text)
	})
}

func (s *served) until(what string, is func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.t.Fatalf("not so after a minute: %s\n%s", what, s.log.String())
		}
	}
}

func (s *served) get(path string) (status int, body string) {
	s.t.Helper()
	answer, err := http.Get(s.url + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// stop sends a signal and returns the exit code.
func (s *served) stop(signal os.Signal) int {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
	<-s.end
	_ = s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode()
}

// TestServe: the real process serves, loads its configuration anew, and ends as it should.
func TestServe(t *testing.T) {
	t.Parallel() // it waits
	gleap := httptest.NewServer(sandbox.New(sandbox.Options{Token: "secret-token"}))
	defer gleap.Close()
	p := newProject(t, gleap.URL, "[sync]\nschedule = \"@every 1000h\"\n", "u1", "u2")
	s := p.serve(t, "--now")
	s.logged(`"msg":"the run ended","outcome":"complete","sent":2`)
	for path, want := range map[string]string{
		"/": "the next run begins at", "/metrics": `gleapsync_calls_total{result="acknowledged"} 2`, "/healthz": "ok", "/readyz": "ok",
		"/api/runs": `"outcome":"complete"`, "/contact?id=u1": "vip",
	} {
		if status, body := s.get(path); status != 200 || !strings.Contains(strings.ToLower(body), strings.ToLower(want)) {
			t.Errorf("%s: %d, no %q in %s", path, status, want, body)
		}
	}
	text, err := os.ReadFile(p.path("c.toml"))
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, "c.toml", strings.Replace(string(text), "@every 1000h", "every hour", 1))
	s.cmd.Process.Signal(syscall.SIGHUP)
	s.logged("the configuration cannot be used")
	p.write(t, "c.toml", strings.Replace(string(text), "1000h", "1s", 1)) // from now on each second
	p.write(t, "vip.csv", "user_id\nu1\nu2\nu3\n")
	s.cmd.Process.Signal(syscall.SIGHUP)
	s.logged(`"msg":"the run ended","outcome":"complete","sent":1`)
	if code := s.stop(syscall.SIGTERM); code != 143 {
		t.Errorf("exit code %d\n%s", code, s.log.String())
	}
	if strings.Contains(s.log.String(), "secret-token") {
		t.Error("the token is in the log")
	}
}

// TestServeSeveral: one process serves the projects of a pattern, takes in one that comes later,
// and ends with all of their runs.
func TestServeSeveral(t *testing.T) {
	t.Parallel() // it waits
	gleap := httptest.NewServer(sandbox.New(sandbox.Options{Token: "secret-token"}))
	defer gleap.Close()
	p := newProject(t, gleap.URL, "", "u1", "u2")
	configure := func(name string) {
		p.write(t, name+".conf", fmt.Sprintf("project = %q\nstate.path = \"%s.db\"\n[gleap]\nbase_url = %q\napi_token_env = \"TOKEN\"\n[sync]\nschedule = \"@every 1000h\"\n[[audience]]\nname = \"VIP\"\nsource = \"vip.csv\"\n", name, name, gleap.URL))
	}
	configure("acme")
	configure("bolt")
	s := p.serveWith(t, func(cmd *exec.Cmd) { cmd.Args[len(cmd.Args)-1] = p.path("*.conf") }, "--now")
	s.logged(`"msg":"the run ended","project":"acme","outcome":"complete","sent":2`)
	s.logged(`"msg":"the run ended","project":"bolt","outcome":"complete","sent":2`)
	configure("corp")
	s.cmd.Process.Signal(syscall.SIGHUP)
	s.logged(`"msg":"the run ended","project":"corp","outcome":"complete","sent":2`)
	for path, want := range map[string]string{
		"/": `<a href="/projects/bolt/">`, "/projects/corp/": "the next run begins at", "/metrics": `gleapsync_calls_total{project="corp",result="acknowledged"} 2`, "/readyz": "ok",
	} {
		if status, body := s.get(path); status != 200 || !strings.Contains(strings.ToLower(body), strings.ToLower(want)) {
			t.Errorf("%s: %d, no %q in %s", path, status, want, body)
		}
	}
	if code := s.stop(syscall.SIGTERM); code != 143 {
		t.Errorf("exit code %d\n%s", code, s.log.String())
	}
}

// TestServeCrowd: in a process that may have few descriptors, connections on which nobody asks
// leave those that a run needs, and a probe is answered.
func TestServeCrowd(t *testing.T) {
	t.Parallel() // it waits
	gleap := httptest.NewServer(sandbox.New(sandbox.Options{Token: "secret-token"}))
	defer gleap.Close()
	p := newProject(t, gleap.URL, "[sync]\nschedule = \"@every 1s\"\n", "u1", "u2")
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh")
	}
	s := p.serveWith(t, func(cmd *exec.Cmd) {
		cmd.Args = append([]string{sh, "-c", `ulimit -n 128 && exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = sh
	})
	s.logged(`"outcome":"complete","sent":2`)
	for range 500 {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	p.write(t, "vip.csv", "user_id\nu1\nu2\nu3\nu4\nu5\n")
	if status, body := s.get("/healthz"); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	s.logged(`"outcome":"complete","sent":3`)
	if s.stop(syscall.SIGTERM); strings.Contains(s.log.String(), "too many open files") {
		t.Error(s.log.String())
	}
}

// TestServeStops: SIGTERM ends the run in flight, and the process, within the grace
// period; what Gleap acknowledged is not sent again.
func TestServeStops(t *testing.T) {
	t.Parallel() // it waits
	const contacts = 2000
	var slow stdsync.WaitGroup
	defer slow.Wait()
	box := sandbox.New(sandbox.Options{Token: "secret-token", Latency: 50 * time.Millisecond})
	hang, hangs := make(chan struct{}), make(chan struct{}, 1)
	gleap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-hang: // Gleap does not answer any more
			slow.Add(1)
			defer slow.Done()
			select {
			case hangs <- struct{}{}:
			default:
			}
			io.Copy(io.Discard, r.Body) // else the server does not see that the client went away
			<-r.Context().Done()
		default:
			box.ServeHTTP(w, r)
		}
	}))
	defer gleap.Close()
	p := newProject(t, gleap.URL, "[sync]\nschedule = \"@every 1000h\"\n", userIDs(contacts)...)
	s := p.serve(t, "--now")
	s.until("calls are made", func() bool { return box.Counts().Identify >= 10 })
	if code := s.stop(syscall.SIGTERM); code != 143 {
		t.Errorf("exit code %d\n%s", code, s.log.String())
	}
	_, written := p.run(t, "inspect", "runs", "--output", "json")
	var runs []struct {
		Outcome  string
		Contacts struct{ Sent, Remaining int }
	}
	if err := json.Unmarshal([]byte(written), &runs); err != nil {
		t.Fatal(err, written)
	}
	if r := runs[0]; r.Outcome != "interrupted" || r.Contacts.Sent == 0 || r.Contacts.Remaining == 0 || r.Contacts.Sent != box.Counts().Contacts {
		t.Errorf("%+v, Gleap has %d", r, box.Counts().Contacts)
	}

	// A run that does not end in time is left behind.
	close(hang)
	s = p.serve(t, "--now", "--grace", "200ms")
	<-hangs
	started := time.Now()
	if code := s.stop(syscall.SIGTERM); code != 143 || time.Since(started) > 20*time.Second || !strings.Contains(s.log.String(), "did not end within the grace period") {
		t.Errorf("exit code %d after %v\n%s", code, time.Since(started), s.log.String())
	}
	if code, written := p.run(t, "verify"); code != 0 {
		t.Error(written)
	}
}

// TestNotifications: a webhook hears of what is new, and a dead-man's switch of each sync;
// their addresses are in no output, and that they fail fails no run.
func TestNotifications(t *testing.T) {
	t.Parallel() // it waits
	var mu stdsync.Mutex
	var heard []string
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var m struct {
			Outcome string
			Held    []struct{ Command string }
		}
		_ = json.Unmarshal(body, &m)
		mu.Lock()
		defer mu.Unlock()
		line := r.URL.Path
		if m.Outcome != "" {
			line += " " + m.Outcome
		}
		for _, h := range m.Held {
			line += " " + h.Command
		}
		heard = append(heard, line)
	}))
	defer receiver.Close()
	gleap := httptest.NewServer(sandbox.New(sandbox.Options{Token: "secret-token"}))
	defer gleap.Close()
	p := newProject(t, gleap.URL, fmt.Sprintf("[guard]\nmin_exits = 1\n[notify]\nwebhook = \"%[1]s/secret-hook\"\nping_url = \"%[1]s/secret-ping\"\n", receiver.URL), userIDs(10)...)
	expect := func(code int, want string, args ...string) {
		t.Helper()
		got, written := p.run(t, append([]string{"sync"}, args...)...)
		mu.Lock()
		defer mu.Unlock()
		// The webhook is told beside the switch.
		slices.SortStableFunc(heard, func(a, b string) int { return strings.Count(a, "hook") - strings.Count(b, "hook") })
		if all := strings.Join(heard, ", "); got != code || all != want {
			t.Errorf("exit code %d, want %d; heard %s, want %s\n%s", got, code, all, want, written)
		}
		if strings.Contains(written, "secret-hook") || strings.Contains(written, "secret-ping") {
			t.Errorf("an address is in the output: %s", written)
		}
		heard = nil
	}
	expect(0, "/secret-ping/start, /secret-ping")
	p.write(t, "vip.csv", "user_id\nuser-000001\n")
	expect(4, "/secret-ping/start, /secret-ping/fail, /secret-hook held gleapsync sync --max-exits vip=9")
	expect(4, "/secret-ping/start, /secret-ping/fail")
	expect(0, "", "--only", "vip", "--max-exits", "vip=9") // somebody looks after it
	expect(0, "/secret-ping/start, /secret-ping, /secret-hook complete")
	p.write(t, "vip.csv", "user_id\nuser-000009\n")
	expect(4, "", "--only", "vip")
	expect(4, "/secret-ping/start, /secret-ping/fail, /secret-hook held gleapsync sync --max-exits vip=1")
	p.write(t, "vip.csv", "user_id\nuser-000001\n")
	expect(0, "/secret-ping/start, /secret-ping, /secret-hook complete")
	p.env = append(p.env, "TOKEN=")
	expect(1, "/secret-ping/start, /secret-ping/fail, /secret-hook failed")
	p.env = append(p.env, "TOKEN=secret-token")
	receiver.Close()
	p.write(t, "vip.csv", "user_id\nuser-000001\nuser-000002\n")
	if code, written := p.run(t, "sync"); code != 0 || !strings.Contains(written, "1 of 1 contact sent") || strings.Contains(written, "secret-") {
		t.Errorf("without a receiver: exit code %d: %s", code, written)
	}
}

// TestHangingSwitch: a dead-man's switch that takes connections and does not answer makes a
// sync end 5 s later at most, and its calls not at all.
func TestHangingSwitch(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 5 s")
	}
	t.Parallel() // it waits
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() // the system takes connections for it
	box := sandbox.New(sandbox.Options{Token: "secret-token"})
	begun := time.Now()
	var called atomic.Int64 // after so many ns
	gleap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		called.CompareAndSwap(0, int64(time.Since(begun)))
		box.ServeHTTP(w, r)
	}))
	defer gleap.Close()
	p := newProject(t, gleap.URL, fmt.Sprintf("[notify]\nping_url = \"http://%s/secret-ping\"\n", silent.Addr()), "u1")
	code, written := p.run(t, "sync")
	if took := time.Since(begun); code != 0 || took > 10*time.Second || strings.Count(written, "a notification was not delivered") != 2 {
		t.Errorf("exit code %d after %s: %s", code, took, written)
	}
	if after := time.Duration(called.Load()); after == 0 || after > 2*time.Second {
		t.Errorf("the first call came after %s", after)
	}
}
