//go:build unix && !nocloud

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	stdsync "sync"
	"syscall"
	"testing"
	"time"

	"gleapsync/gleap/sandbox"
	"gleapsync/internal/rounds"
	"gleapsync/internal/s3test"
)

// fleet is machines, each a folder with a state of its own, that sync the same exports under a
// replica.
type fleet struct {
	t       *testing.T
	dir     string // of the exports
	gleap   *sandbox.Sandbox
	url     string // of that
	bucket  *flakyBucket
	folders []string
	lease   time.Duration
}

func newFleet(t *testing.T, machines int, gleapSettings string) *fleet {
	t.Helper()
	f := &fleet{t: t, dir: t.TempDir(), gleap: sandbox.New(sandbox.Options{Token: "secret-token"}), lease: 500 * time.Millisecond}
	server := httptest.NewServer(f.gleap)
	t.Cleanup(server.Close)
	f.url = server.URL
	s3 := s3test.Start(t)
	f.bucket = newFlakyBucket(t, "http://"+s3.Address)
	for range machines {
		dir := t.TempDir()
		config := fmt.Sprintf("project = \"p\"\n[gleap]\nbase_url = %q\napi_token_env = \"TOKEN\"\nconcurrency = 8\n%s\n[state]\npath = %q\nreplica = %q\n[guard]\nmax_exits = \"100%%\"\n",
			server.URL, gleapSettings, filepath.Join(dir, "state.db"), s3test.URL(strings.TrimPrefix(f.bucket.url, "http://"), "gleapsync/acme"))
		config += fmt.Sprintf("[log]\npath = %q\n", s3test.URL(strings.TrimPrefix(f.bucket.url, "http://"), "gleapsync/log"))
		for _, a := range []string{"a0", "a1"} {
			config += fmt.Sprintf("[[audience]]\nname = %q\nsource = %q\n", a, filepath.Join(f.dir, a+".csv"))
		}
		if err := os.WriteFile(filepath.Join(dir, "c.toml"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		f.folders = append(f.folders, dir)
	}
	return f
}

// export writes who is in the audiences, as of a day.
func (f *fleet) export(day int, in [][2]bool) {
	f.t.Helper()
	for a := range 2 {
		var b strings.Builder
		b.WriteString("user_id\n")
		for u := range in {
			if in[u][a] {
				fmt.Fprintf(&b, "u%05d\n", u)
			}
		}
		path := filepath.Join(f.dir, fmt.Sprintf("a%d.csv", a))
		when := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, day)
		if err := errors.Join(os.WriteFile(path, []byte(b.String()), 0o600), os.Chtimes(path, when, when)); err != nil {
			f.t.Fatal(err)
		}
	}
}

// command returns a command of a machine.
func (f *fleet) command(machine int, args ...string) (*exec.Cmd, *bytes.Buffer) {
	var stderr bytes.Buffer
	cmd := exec.Command("gleapsync", append(args, "--log-level", "error", "--config", filepath.Join(f.folders[machine], "c.toml"))...)
	cmd.Env = append(os.Environ(), "TOKEN=secret-token", "GLEAPSYNC_TEST_LEASE="+f.lease.String())
	cmd.Stderr = &stderr
	return cmd, &stderr
}

// sync syncs until nobody else has the lease, and returns the exit code.
func (f *fleet) sync(machine int) int {
	f.t.Helper()
	for {
		cmd, stderr := f.command(machine, "sync")
		err := cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != 75 {
			if err != nil {
				f.t.Logf("exit code %d: %s", code, stderr.String())
			}
			return code
		}
	}
}

// awaitCalls waits until Gleap had a call.
func (f *fleet) awaitCalls() {
	for f.gleap.Counts().Identify == 0 {
		<-time.After(time.Millisecond)
	}
}

// vanish removes what a machine has.
func (f *fleet) vanish(machine int) {
	files, _ := filepath.Glob(filepath.Join(f.folders[machine], "state.db*"))
	for _, file := range files {
		os.Remove(file)
	}
}

// check holds Gleap against the exports.
func (f *fleet) check(in [][2]bool) {
	f.t.Helper()
	seen := make([]bool, len(in))
	for contact := range f.gleap.Contacts() {
		var u int
		fmt.Sscanf(contact.UserID, "u%05d", &u)
		seen[u] = true
		for a := range 2 {
			got := contact.Attributes[fmt.Sprintf("a%d", a)]
			if in[u][a] != (got == any(true)) {
				f.t.Fatalf("%s has a%d = %v, but it is %t that it is a member", contact.UserID, a, got, in[u][a])
			}
		}
	}
	for u := range in {
		if !seen[u] && in[u] != [2]bool{} {
			f.t.Fatalf("u%05d is not there", u)
		}
	}
}

// checkLog holds the log of deliveries, as a machine reads it, against Gleap: the machines that
// vanished took no line with them of which the state knows.
func (f *fleet) checkLog(machine int) {
	f.t.Helper()
	cmd, stderr := f.command(machine, "inspect", "deliveries", "--output", "json")
	out, err := cmd.Output()
	if err != nil {
		f.t.Fatalf("%v: %s", err, stderr)
	}
	told, calls := map[string]bool{}, map[string]bool{}
	for line := range bytes.Lines(out) {
		var d struct {
			Run    string
			Call   int
			UserID string `json:"user_id"`
			Set    map[string]any
		}
		if err := json.Unmarshal(line, &d); err != nil {
			f.t.Fatal(err)
		}
		if call := fmt.Sprint(d.Run, d.Call); calls[call] {
			f.t.Fatalf("call %d of run %s is there twice", d.Call, d.Run)
		} else {
			calls[call] = true
		}
		for key, value := range d.Set {
			told[fmt.Sprint(d.UserID, key, value)] = true
		}
	}
	for contact := range f.gleap.Contacts() {
		for key, value := range contact.Attributes {
			if !told[fmt.Sprint(contact.UserID, key, value)] {
				f.t.Fatalf("%s has %s = %v, and no line of the log says so", contact.UserID, key, value)
			}
		}
	}
}

// flakyBucket is a proxy before a bucket, which fails as it is told.
type flakyBucket struct {
	url   string
	mu    stdsync.Mutex
	fault func(r *http.Request) fault
	lists map[string][]byte // that were answered before
}

type fault int

const (
	works fault = iota
	refuses
	losesAnswer
	isFull
	listsLate
	isSlow
)

func newFlakyBucket(t *testing.T, to string) *flakyBucket {
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	b := &flakyBucket{lists: map[string][]byte{}}
	proxy := &httputil.ReverseProxy{
		Rewrite:  func(p *httputil.ProxyRequest) { p.SetURL(target); p.Out.Host = p.In.Host },
		ErrorLog: nil,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		decide := b.fault
		b.mu.Unlock()
		what := works
		if decide != nil {
			what = decide(r)
		}
		switch what {
		case refuses:
			w.WriteHeader(http.StatusServiceUnavailable)
		case isFull:
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusInsufficientStorage)
		case losesAnswer:
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		case isSlow:
			time.Sleep(100 * time.Millisecond)
			proxy.ServeHTTP(w, r)
		case listsLate:
			b.mu.Lock()
			old := b.lists[r.URL.RawQuery]
			b.mu.Unlock()
			if old != nil {
				w.Write(old)
				return
			}
			recorder := httptest.NewRecorder()
			proxy.ServeHTTP(recorder, r)
			b.mu.Lock()
			b.lists[r.URL.RawQuery] = recorder.Body.Bytes()
			b.mu.Unlock()
			w.WriteHeader(recorder.Code)
			w.Write(recorder.Body.Bytes())
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func (b *flakyBucket) set(fault func(*http.Request) fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault = fault
}

// TestReplicaKillLoop kills syncs of two machines at random moments, deletes what the machine had
// in half of all cases, and lets any machine go on, with the same exports or with newer ones.
// The bucket fails meanwhile, loses answers and lists late. Whenever a sync comes to its end,
// Gleap has what the exports say.
func TestReplicaKillLoop(t *testing.T) {
	t.Parallel()
	contacts, kills := rounds.Of(300, 5_000), rounds.Of(5, 200)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	f := newFleet(t, 2, "rate = 0")
	var mu stdsync.Mutex
	f.bucket.set(func(r *http.Request) fault {
		mu.Lock()
		defer mu.Unlock()
		switch n := random.IntN(200); {
		case r.URL.Query().Has("list-type") && n < 100:
			return listsLate
		case n < 1:
			return refuses
		case n < 3:
			return losesAnswer
		case n < 20:
			return isSlow
		}
		return works
	})
	in := make([][2]bool, contacts)
	killed, completed, vanished := 0, 0, 0
	for day := 0; killed < kills || completed == 0; day++ {
		mu.Lock()
		for u := range in {
			for a := range 2 {
				if random.IntN(3) == 0 {
					in[u][a] = random.IntN(2) == 0
				}
			}
		}
		mu.Unlock()
		f.export(day, in)
		for bound := 200 * time.Millisecond; ; bound += 50 * time.Millisecond {
			mu.Lock()
			machine, after, vanishes, next := random.IntN(2), time.Duration(random.Int64N(int64(bound))), random.IntN(2) == 0, random.IntN(3) == 0
			mu.Unlock()
			cmd, stderr := f.command(machine, "sync")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
			err := cmd.Wait()
			timer.Stop()
			code := cmd.ProcessState.ExitCode()
			if err == nil {
				completed++
				f.check(in)
				break
			}
			if code == 75 {
				continue
			}
			if code > 0 {
				t.Logf("exit code %d: %s", code, stderr)
				continue
			}
			killed++
			if vanishes {
				f.vanish(machine)
				vanished++
			}
			if next {
				break
			}
		}
	}
	f.bucket.set(nil)
	f.vanish(0)
	if code := f.sync(0); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	f.check(in)
	f.checkLog(0)
	t.Logf("%d kills, %d of them with all that the machine had, %d syncs came to their end", killed, vanished, completed)
}

// TestReplicaBothAtOnce: of two machines that sync at the same time one sends, and the other one
// says who does.
func TestReplicaBothAtOnce(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2, "rate = 100\nwindow = \"1s\"")
	f.lease = 5 * time.Second
	in := make([][2]bool, 300)
	for u := range in {
		in[u] = [2]bool{true, u%2 == 0}
	}
	f.export(0, in)
	first, _ := f.command(0, "sync")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	f.awaitCalls()
	second, stderr := f.command(1, "sync")
	_ = second.Run()
	if code := second.ProcessState.ExitCode(); code != 75 || !strings.Contains(stderr.String(), fmt.Sprintf("another run holds the lock s3://exports/gleapsync/acme: process %d on ", first.Process.Pid)) {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if err := first.Wait(); err != nil {
		t.Fatal(err)
	}
	if sent := f.gleap.Counts().Identify; sent != 300 {
		t.Errorf("%d calls", sent)
	}
	if code := f.sync(1); code != 0 || f.gleap.Counts().Identify != 300 {
		t.Errorf("exit code %d, %d calls", code, f.gleap.Counts().Identify)
	}
	f.check(in)
}

// TestReplicaStopped: a machine that stands still while another one takes over sends nothing when
// it goes on.
func TestReplicaStopped(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for a lease to run out")
	}
	t.Parallel()
	f := newFleet(t, 2, "rate = 100\nwindow = \"1s\"")
	in := make([][2]bool, 300)
	for u := range in {
		in[u] = [2]bool{true, false}
	}
	f.export(0, in)
	first, stderr := f.command(0, "sync")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	f.awaitCalls()
	if err := first.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// Everybody leaves meanwhile: those too of whom only the first one knows that they came.
	for u := range in {
		in[u] = [2]bool{u == 299, true}
	}
	f.export(1, in)
	if code := f.sync(1); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	f.check(in)
	calls := f.gleap.Counts().Identify
	if err := first.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()
	if code := first.ProcessState.ExitCode(); code != 75 || !strings.Contains(stderr.String(), "another run holds the lock s3://exports/gleapsync/acme") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if sent := f.gleap.Counts().Identify - calls; sent > 0 {
		t.Errorf("%d calls when it went on", sent)
	}
	f.check(in)
}

// TestReplicaFull: what the bucket does not take is not sent.
func TestReplicaFull(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits until nobody tries any more")
	}
	t.Parallel()
	f := newFleet(t, 2, "rate = 0")
	f.lease = 2 * time.Second
	in := make([][2]bool, 100)
	for u := range in {
		in[u] = [2]bool{true, false}
	}
	f.export(0, in)
	f.bucket.set(func(r *http.Request) fault {
		if r.Method == http.MethodPut && !strings.HasSuffix(r.URL.Path, ".json") {
			return isFull
		}
		return works
	})
	cmd, stderr := f.command(0, "sync")
	_ = cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(stderr.String(), "it answers 507") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if sent := f.gleap.Counts().Identify; sent != 0 {
		t.Errorf("%d calls", sent)
	}
	f.bucket.set(func(*http.Request) fault { return refuses })
	cmd, stderr = f.command(1, "sync")
	_ = cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(stderr.String(), "it answers 503") || f.gleap.Counts().Identify != 0 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	f.bucket.set(nil)
	if code := f.sync(1); code != 0 {
		t.Errorf("exit code %d", code)
	}
	f.check(in)
}
