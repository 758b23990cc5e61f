package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/rogpeppe/go-internal/testscript"
	"go.etcd.io/bbolt"

	"gleapsync/gleap"
	"gleapsync/gleap/sandbox"
	"gleapsync/internal/app"
	"gleapsync/internal/rounds"
	"gleapsync/internal/s3test"
	"gleapsync/state"
	"gleapsync/sync"
)

func TestMain(m *testing.M) {
	rounds.Beside()
	rounds.InMemory()
	testscript.Main(m, map[string]func(){"gleapsync": main})
}

// TestScript runs testdata/script against the real program.
func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GLEAP_API_TOKEN", "secret-token")
			return copyExamples(env.WorkDir)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"gleap": startGleap, "exit": exitsWith, "sent": sentCalls, "lock": holdLock, "json": jsonHas, "age": setAge, "truncate": truncate, "private": isPrivate,
			"contact": contactHas, "occupy": occupy, "told": toldEvents, "save": saveAs,
			"bucket": startBucket,
		},
	})
}

func copyExamples(dir string) error {
	for _, day := range []string{"day1", "day2"} { // day2 must not look older than day1
		if err := os.CopyFS(filepath.Join(dir, "examples", day), os.DirFS("examples/"+day)); err != nil {
			return err
		}
	}
	text, err := os.ReadFile("config.example.toml")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.example.toml"), text, 0o600)
}

// newGleap starts a sandbox which refuses contacts whose id begins with "refused". If
// status is not 0 it answers everything with that.
func newGleap(status int, latency time.Duration) *httptest.Server {
	s := sandbox.New(sandbox.Options{Token: "secret-token", Latency: latency})
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		switch {
		case err != nil:
			panic(http.ErrAbortHandler)
		case status != 0 && !strings.HasPrefix(r.URL.Path, "/sandbox/"):
			w.WriteHeader(status)
		case bytes.Contains(body, []byte(`"userId":"refused`)):
			w.WriteHeader(http.StatusUnprocessableEntity)
		default:
			s.ServeHTTP(w, r)
		}
	}))
}

// startGleap starts a Gleap and puts its address into $GLEAP: gleap [STATUS].
func startGleap(ts *testscript.TestScript, neg bool, args []string) {
	status := 0
	if len(args) > 0 {
		var err error
		status, err = strconv.Atoi(args[0])
		ts.Check(err)
	}
	server := newGleap(status, 0)
	ts.Defer(server.Close)
	ts.Setenv("GLEAP", server.URL)
}

// startBucket starts a storage and puts the address of a folder of it into $REPLICA.
func startBucket(ts *testscript.TestScript, neg bool, args []string) {
	address, err := s3test.Serve(ts.MkAbs("buckets"), ts.Defer)
	ts.Check(err)
	for name, value := range s3test.Environment("test-access", "test-secret") {
		ts.Setenv(name, value)
	}
	ts.Setenv("REPLICA", s3test.URL(address, "gleapsync/acme"))
	ts.Setenv("LOG", s3test.URL(address, "gleapsync/log"))
	ts.Setenv("OTHER", s3test.URL(address, "gleapsync/other"))
}

// exitsWith runs a program that must end with a code: exit CODE PROGRAM ARGS…
func exitsWith(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// sentCalls checks how many calls the Gleap at $GLEAP has applied: sent N.
func sentCalls(ts *testscript.TestScript, neg bool, args []string) {
	counts, err := countsOf(ts.Getenv("GLEAP"))
	ts.Check(err)
	if strconv.Itoa(counts.Identify) != args[0] {
		ts.Fatalf("Gleap received %d calls, want %s", counts.Identify, args[0])
	}
}

func countsOf(url string) (c sandbox.Counts, err error) {
	answer, err := http.Get(url + "/sandbox/counts")
	if err != nil {
		return c, err
	}
	defer answer.Body.Close()
	return c, json.NewDecoder(answer.Body).Decode(&c)
}

// contactHas checks the custom attributes of a contact of the Gleap at $GLEAP:
// contact ID JSON, with null for a contact that is not there.
func contactHas(ts *testscript.TestScript, neg bool, args []string) {
	answer, err := http.Get(ts.Getenv("GLEAP") + "/sandbox/contacts")
	ts.Check(err)
	defer answer.Body.Close()
	var got, want any
	ts.Check(json.Unmarshal([]byte(args[1]), &want))
	for lines := json.NewDecoder(answer.Body); lines.More(); {
		var contact struct {
			UserID     string `json:"user_id"`
			Attributes any
		}
		ts.Check(lines.Decode(&contact))
		if contact.UserID == args[0] {
			got = contact.Attributes
		}
	}
	if !reflect.DeepEqual(got, want) {
		ts.Fatalf("%s has %v, want %v", args[0], got, want)
	}
}

// toldEvents checks the events of the Gleap at $GLEAP, in any order, and their dates if the
// file has some: told FILE.
func toldEvents(ts *testscript.TestScript, neg bool, args []string) {
	answer, err := http.Get(ts.Getenv("GLEAP") + "/sandbox/events")
	ts.Check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	file := ts.ReadFile(args[0])
	if !strings.Contains(file, `"date"`) {
		text = regexp.MustCompile(`"date":"[^"]*",`).ReplaceAll(text, nil)
	}
	got, want := slices.Sorted(strings.Lines(string(text))), slices.Sorted(strings.Lines(file))
	if !slices.Equal(got, want) {
		ts.Fatalf("Gleap was told\n%swant\n%s", strings.Join(got, ""), strings.Join(want, ""))
	}
}

// saveAs saves a file as editors on Windows do: save marked|utf16 FILE AS.
func saveAs(ts *testscript.TestScript, neg bool, args []string) {
	text := "\ufeff" + strings.ReplaceAll(ts.ReadFile(args[1]), "\n", "\r\n")
	if args[0] == "utf16" {
		var wide []byte
		for _, unit := range utf16.Encode([]rune(text)) {
			wide = binary.LittleEndian.AppendUint16(wide, unit)
		}
		text = string(wide)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(text), 0o600))
}

// occupy holds a bbolt file open until the script ends: occupy PATH.
func occupy(ts *testscript.TestScript, neg bool, args []string) {
	db, err := bbolt.Open(ts.MkAbs(args[0]), 0o600, nil)
	ts.Check(err)
	ts.Defer(func() { db.Close() })
}

// holdLock holds the lock of a state until the script ends: lock PATH PROJECT.
func holdLock(ts *testscript.TestScript, neg bool, args []string) {
	store, err := state.Open(state.Options{Path: ts.MkAbs(args[0]), Project: args[1]})
	ts.Check(err)
	release, err := store.Lock()
	ts.Check(err)
	ts.Defer(release)
}

// jsonHas checks a value of the JSON that was printed last. Objects in lists are found
// by their key: json exports.vip.status held.
func jsonHas(ts *testscript.TestScript, neg bool, args []string) {
	decoder := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	decoder.UseNumber()
	var v any
	ts.Check(decoder.Decode(&v))
	if decoder.More() {
		ts.Fatalf("more than one JSON value was printed")
	}
	for _, step := range strings.Split(args[0], ".") {
		v = stepInto(v, step)
	}
	text, err := json.Marshal(v)
	ts.Check(err)
	got := strings.Trim(string(text), `"`)
	if (got == args[1]) == neg {
		ts.Fatalf("%s is %s, want %s", args[0], got, args[1])
	}
}

func stepInto(v any, step string) any {
	switch v := v.(type) {
	case map[string]any:
		return v[step]
	case []any:
		if i, err := strconv.Atoi(step); err == nil && i < len(v) {
			return v[i]
		}
		for _, item := range v {
			if m, ok := item.(map[string]any); ok && m["key"] == step {
				return m
			}
		}
	}
	return nil
}

// setAge makes a file look that old: age DURATION FILE.
func setAge(ts *testscript.TestScript, neg bool, args []string) {
	age, err := time.ParseDuration(args[0])
	ts.Check(err)
	when := time.Now().Add(-age)
	ts.Check(os.Chtimes(ts.MkAbs(args[1]), when, when))
}

// truncate cuts a file off: truncate SIZE FILE.
func truncate(ts *testscript.TestScript, neg bool, args []string) {
	size, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[1]), size))
}

// isPrivate checks that nothing of what the last command wrote, and nothing but user ids
// of what the state holds, is a token or a person's.
func isPrivate(ts *testscript.TestScript, neg bool, args []string) {
	written := strings.ToLower(ts.ReadFile("stdout") + ts.ReadFile("stderr"))
	for _, secret := range []string{"marked", "secret-token"} {
		if strings.Contains(written, secret) {
			ts.Fatalf("%q was written", secret)
		}
	}
	text, err := os.ReadFile(ts.MkAbs("gleapsync.db"))
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	ts.Check(err)
	for _, secret := range []string{"secret-token", "marked@", "marked-broken", "marked-value", "Marked-"} {
		if bytes.Contains(text, []byte(secret)) {
			ts.Fatalf("the state holds %q", secret)
		}
	}
}

// TestSandboxCommand: the sandbox runs by itself, takes a sync, and says what it
// received when it is stopped.
func TestSandboxCommand(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("gleapsync", "sandbox", "--listen", "127.0.0.1:0", "--token", "rehearsal", "--latency", "1ms", "--fault", "500=10%", "--refuse", "u3", "--refuse", "nobody")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	lines := bufio.NewReader(stdout)
	first, err := lines.ReadString('\n')
	_, address, ok := strings.Cut(strings.TrimSpace(first), "listens on ")
	if err != nil || !ok {
		t.Fatalf("%q, %v", first, err)
	}
	p := newProject(t, address, "", "u1", "u2", "u3")
	p.env = append(p.env, "TOKEN=rehearsal")
	if code, written := p.run(t, "sync"); code != 3 || !strings.Contains(written, "1 contact parked") {
		t.Fatal(code, written)
	}
	answer, err := http.Get(address + "/sandbox/contacts")
	if err != nil {
		t.Fatal(err)
	}
	contacts, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	if bytes.Count(contacts, []byte(`"vip":true`)) != 2 {
		t.Errorf("contacts: %s", contacts)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(lines)
	if err := cmd.Wait(); err != nil || !bytes.Contains(rest, []byte("The sandbox received 2 Identify Contact calls and holds 2 contacts:\n  u1  vip=true\n")) {
		t.Errorf("%v: %s", err, rest)
	}
}

// TestExitCodes holds the function that turns errors into exit codes against the
// documented list.
func TestExitCodes(t *testing.T) {
	signals := make(chan os.Signal, 1)
	for _, test := range []struct {
		err  error
		code int
	}{
		{nil, 0},
		{errors.New("whatever"), 1},
		{&gleap.StopError{Reason: "401"}, 1},
		{fmt.Errorf("wrapped: %w", &app.UsageError{Err: errors.New("no such key")}), 2},
		{app.ErrParked, 3},
		{app.ErrHeld, 4},
		{&gleap.UnreachableError{}, 5},
		{&state.LockedError{}, 75},
	} {
		if got := exitCode(test.err, signals); got != test.code {
			t.Errorf("%v: exit code %d, want %d", test.err, got, test.code)
		}
	}
	signals <- syscall.SIGINT
	if got := exitCode(sync.ErrInterrupted, signals); got != 130 {
		t.Errorf("SIGINT: %d", got)
	}
	signals <- syscall.SIGTERM
	if got := exitCode(fmt.Errorf("x: %w", sync.ErrInterrupted), signals); got != 143 {
		t.Errorf("SIGTERM: %d", got)
	}
}
