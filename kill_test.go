//go:build unix

package main

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gleapsync/gleap/sandbox"
	"gleapsync/internal/rounds"
)

var kills = flag.Int("kills", 0, "how often TestKillLoop kills the program, if not as often as it does by itself")

// TestKillLoop kills the program with SIGKILL at random moments of its syncs, over
// several days of exports and of events. In the end Gleap has what the exports say, and no
// more was sent twice than the calls that were not committed when the program died. Of the
// events each was told, and no more twice than one request for each kill.
func TestKillLoop(t *testing.T) {
	t.Parallel()
	contacts, kills := rounds.Of(2_000, 20_000), cmp.Or(*kills, rounds.Of(4, 200))
	const audiences, workers, batch = 10, 32, 100
	first := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) // day 0
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	gleap := sandbox.New(sandbox.Options{Token: "secret-token"})
	server := httptest.NewServer(gleap)
	defer server.Close()
	dir := t.TempDir()
	config := fmt.Sprintf("project = \"p\"\n[gleap]\nbase_url = %q\napi_token_env = \"TOKEN\"\nrate = 0\nconcurrency = %d\n[guard]\nmax_exits = \"100%%\"\n", server.URL, workers)
	config += fmt.Sprintf("[events]\nbatch = %d\n[[track]]\nsource = \"calls\"\n", batch)
	for a := range audiences {
		config += fmt.Sprintf("[[audience]]\nname = \"a%d\"\nsource = \"a%d.csv\"\nmembership = %t\n", a, a, a == 0)
	}
	if err := os.Mkdir(filepath.Join(dir, "calls"), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("c.toml", config)
	start := func() *exec.Cmd {
		t.Helper()
		cmd := exec.Command("gleapsync", "sync", "--log-level", "error", "--config", filepath.Join(dir, "c.toml"))
		cmd.Env = append(os.Environ(), "TOKEN=secret-token")
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	// told[u][a] is whether contact u was ever a member of audience a, in[u][a] whether it is.
	in, told := make([][audiences]bool, contacts), make([][audiences]bool, contacts)
	killed, repeated, needed, uncommitted := 0, 0, 0, 0
	events := map[string]int{} // that are to be told
	day := 0
	for ; killed < kills || day < 3; day++ {
		changed := 0
		files := make([]strings.Builder, audiences)
		for a := range files {
			files[a].WriteString("user_id\n")
		}
		for u := range in {
			before := in[u]
			for a := range audiences {
				if random.IntN(3) == 0 {
					in[u][a] = random.IntN(2) == 0
				}
				if in[u][a] {
					told[u][a] = true
					fmt.Fprintf(&files[a], "u%05d\n", u)
				}
			}
			if in[u] != before {
				changed++
			}
			if day > 0 && in[u][0] != before[0] { // the first sync tells of nobody
				events[fmt.Sprintf("u%05d %d %t", u, day, in[u][0])]++
			}
		}
		var calls strings.Builder
		for n := range contacts / 4 {
			user := random.IntN(contacts)
			fmt.Fprintf(&calls, `{"type":"track","userId":"u%05d","event":"Order Completed","properties":{"order_id":"%d-%d"},"timestamp":"2026-11-25T08:00:00Z","messageId":"%d-%d"}`+"\n", user, day, n, day, n)
			events[fmt.Sprintf("u%05d %d-%d", user, day, n)]++
		}
		write(fmt.Sprintf("calls/%d.json", day), calls.String())
		for a := range files {
			write(fmt.Sprintf("a%d.csv", a), files[a].String())
		}
		// The time of the data tells the days apart. None may be ahead of the clock: it would count as now.
		when := first.AddDate(0, 0, day)
		if err := os.Chtimes(filepath.Join(dir, "a0.csv"), when, when); err != nil {
			t.Fatal(err)
		}
		applied := gleap.Counts().Identify
		// The bound grows, so that a slow machine comes to an end too.
		step := time.Duration(contacts) * 10 * time.Microsecond
		for bound, done := 4*step, false; !done; bound += step {
			cmd := start()
			last := lastSecond(gleap, time.Duration(random.Int64N(int64(bound))))
			_ = cmd.Process.Kill()
			if done = cmd.Wait() == nil; !done {
				killed++
				uncommitted += last
			}
		}
		needed += changed
		repeated += gleap.Counts().Identify - applied - changed
		for contact := range gleap.Contacts() {
			var u int
			fmt.Sscanf(contact.UserID, "u%05d", &u)
			for a := range audiences {
				want := any(nil)
				if told[u][a] {
					want = in[u][a]
				}
				if got := contact.Attributes[fmt.Sprintf("a%d", a)]; got != want {
					t.Fatalf("day %d: %s has a%d = %v, want %v", day, contact.UserID, a, got, want)
				}
			}
		}
	}
	t.Logf("%d days, %d kills, %d calls needed, %d sent twice, %d came in the last second before a kill", day, killed, needed, repeated, uncommitted)
	if repeated > uncommitted+killed*workers {
		t.Error("more was sent twice than a commit interval explains")
	}
	got := map[string]int{}
	for _, e := range gleap.Events() {
		if id, ok := e.Data["order_id"]; ok {
			got[fmt.Sprintf("%s %s", e.UserID, id)]++
		} else {
			got[fmt.Sprintf("%s %d %v", e.UserID, int(e.Date.Sub(first).Hours()/24), e.Data["a0"])]++
		}
	}
	lost, twice := 0, 0
	for what, n := range events {
		lost += max(0, n-got[what])
	}
	for what, n := range got {
		twice += max(0, n-events[what])
	}
	t.Logf("%d events, %d told twice, %d lost", len(events), twice, lost)
	if lost > 0 || twice > killed*batch {
		t.Error("events were lost, or more were told twice than the requests in flight")
	}
	verify := exec.Command("gleapsync", "verify", "--config", filepath.Join(dir, "c.toml"))
	if out, err := verify.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// lastSecond waits for d and returns how many calls were applied in its last second.
func lastSecond(gleap *sandbox.Sandbox, d time.Duration) int {
	time.Sleep(max(0, d-time.Second))
	before := gleap.Counts().Identify
	time.Sleep(min(d, time.Second))
	return gleap.Counts().Identify - before
}
