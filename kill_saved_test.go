//go:build unix

package main

import (
	"bytes"
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

// TestKillSavedPlan kills the program with SIGKILL at random moments of a saved plan's runs, which
// have no exports any more. Each goes on with what is left. In the end Gleap has what the exports
// said, no more was sent twice than the calls that were not committed when the program died, and a
// sync has nothing to do.
func TestKillSavedPlan(t *testing.T) {
	t.Parallel()
	contacts, plans := rounds.Of(2_000, 20_000), rounds.Of(1, 10)
	const audiences, workers = 3, 32
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	gleap := sandbox.New(sandbox.Options{Token: "secret-token"})
	server := httptest.NewServer(gleap)
	defer server.Close()
	dir := t.TempDir()
	config := fmt.Sprintf("project = \"p\"\n[gleap]\nbase_url = %q\napi_token_env = \"TOKEN\"\nrate = 0\nconcurrency = %d\n[guard]\nmax_exits = \"100%%\"\n", server.URL, workers)
	for a := range audiences {
		config += fmt.Sprintf("[[audience]]\nname = \"a%d\"\nsource = \"exports/a%d.csv\"\n", a, a)
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(path("c.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command("gleapsync", append(args, "--config", path("c.toml"))...)
		cmd.Env = append(os.Environ(), "TOKEN=secret-token")
		errs.Reset()
		cmd.Stderr = &errs
		return cmd
	}
	in, told := make([][audiences]bool, contacts), make([][audiences]bool, contacts)
	killed := 0
	for plan := range plans {
		changed := 0
		files := make([]strings.Builder, audiences)
		for u := range in {
			before := in[u]
			for a := range audiences {
				if in[u][a] = random.IntN(2) == 0; in[u][a] {
					told[u][a] = true
					fmt.Fprintf(&files[a], "u%05d\n", u)
				}
			}
			if in[u] != before {
				changed++
			}
		}
		if err := os.Mkdir(path("exports"), 0o700); err != nil {
			t.Fatal(err)
		}
		for a := range files {
			if err := os.WriteFile(path(fmt.Sprintf("exports/a%d.csv", a)), []byte("user_id\n"+files[a].String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		name := fmt.Sprintf("%d.plan", plan)
		if out, err := command("plan", "--save", path(name)).Output(); err != nil {
			t.Fatalf("%v: %s %s", err, out, errs.String())
		}
		if err := os.Rename(path("exports"), path("away")); err != nil {
			t.Fatal(err)
		}
		before, uncommitted, kills := gleap.Counts().Identify, 0, 0
		step := time.Duration(contacts) * 10 * time.Microsecond // the bound grows, so that a slow machine comes to an end too
		for bound, done := 4*step, false; !done; bound += step {
			cmd := command("sync", "--log-level", "error", "--plan", path(name))
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			last := lastSecond(gleap, time.Duration(random.Int64N(int64(bound))))
			_ = cmd.Process.Kill()
			err := cmd.Wait()
			if done = err == nil || strings.Contains(errs.String(), "the plan is complete"); !done {
				if errs.Len() > 0 {
					t.Fatal(errs.String())
				}
				kills++
				uncommitted += last
			}
		}
		repeated := gleap.Counts().Identify - before - changed
		t.Logf("%d calls, %d kills, %d sent twice, %d came in the last second before a kill", changed, kills, repeated, uncommitted)
		if repeated < 0 || repeated > uncommitted+kills*workers {
			t.Error("more was sent twice than a commit interval explains")
		}
		killed += kills
		for contact := range gleap.Contacts() {
			var u int
			fmt.Sscanf(contact.UserID, "u%05d", &u)
			for a := range audiences {
				want := any(nil)
				if told[u][a] {
					want = in[u][a]
				}
				if got := contact.Attributes[fmt.Sprintf("a%d", a)]; got != want {
					t.Fatalf("%s has a%d = %v, want %v", contact.UserID, a, got, want)
				}
			}
		}
		if out, err := command("sync", "--plan", path(name)).Output(); err == nil || !strings.Contains(errs.String(), "the plan is complete") {
			t.Errorf("a plan that is complete goes on: %v: %s", err, out)
		}
		if err := os.Rename(path("away"), path("exports")); err != nil {
			t.Fatal(err)
		}
		before = gleap.Counts().Identify
		out, err := command("sync").Output()
		if err != nil || gleap.Counts().Identify != before || !strings.Contains(string(out), "unchanged") && !strings.Contains(string(out), "up to date") {
			t.Errorf("%v: %s", err, out)
		}
		if err := os.RemoveAll(path("exports")); err != nil {
			t.Fatal(err)
		}
	}
	if killed == 0 {
		t.Error("nothing was killed")
	}
}
