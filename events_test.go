//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gleapsync/gleap/sandbox"
	"gleapsync/internal/runs"
)

var million = flag.Bool("million", false, "plan and send millions of events")

// TestEventsPlan plans two million events of Engage that nothing was read of before, and
// measures how fast.
func TestEventsPlan(t *testing.T) {
	if !*million {
		t.Skip("it takes half a minute: go test -run TestEventsPlan -million -v .")
	}
	const events, files, users = 2_000_000, 8, 1_000_000
	p := newProject(t, "http://127.0.0.1:1", "")
	p.write(t, "c.toml", "project = \"p\"\n[gleap]\nbase_url = \"sandbox\"\n[[changes]]\nsource = \"events\"\ndiscover = true\n")
	if err := os.Mkdir(p.path("events"), 0o700); err != nil {
		t.Fatal(err)
	}
	var size int64
	for n := range files {
		f, err := os.Create(filepath.Join(p.path("events"), fmt.Sprint(n)))
		if err != nil {
			t.Fatal(err)
		}
		w := bufio.NewWriter(f)
		for i := n; i < events; i += files {
			key := i * 7919 % 20
			fmt.Fprintf(w, `{"anonymousId":null,"channel":"server","context":{"integration":{"name":"personas"},"library":{"name":"unknown","version":"unknown"},"personas":{"computation_class":"audience","computation_id":"aud_2aXyZ%d","computation_key":"audience_%d","namespace":"spa_1","space_id":"spa_1"}},"integrations":{"All":false},"messageId":"personas_2aXyZ%08d","receivedAt":"2026-11-24T08:15:00.123Z","timestamp":"2026-11-24T08:%02d:%02d.%03dZ","traits":{"audience_%d":%t},"type":"identify","userId":"user-%d"}`+"\n",
				key, key, i, i%60, i/60%60, i%1000, key, i%3 > 0, i*2654435761%users)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	for range 3 {
		began := time.Now()
		out, err := p.command("plan", "--output", "json").Output()
		took := time.Since(began)
		var report runs.Report
		if err := errors.Join(err, json.Unmarshal(out, &report)); err != nil {
			t.Fatal(err)
		}
		if len(report.Exports) != 20 || report.Exports[0].Rows != events || report.Contacts.Planned == 0 {
			t.Fatalf("%d exports, %+v", len(report.Exports), report.Contacts)
		}
		t.Logf("%d MB in %.2f s: %.0f MB/s", size/1e6, took.Seconds(), float64(size)/1e6/took.Seconds())
	}
}

// TestMillionEvents plans a million events of 200,000 users and sends them, 100 in a
// request, to a sandbox without a limit. It measures how long that takes, and the most
// anonymous memory: that of mapped files is the system's.
func TestMillionEvents(t *testing.T) {
	if !*million {
		t.Skip("it takes some minutes: go test -run TestMillionEvents -million -v .")
	}
	const events, files, users = 1_000_000, 8, 200_000
	gleap := sandbox.New(sandbox.Options{Token: "secret-token"})
	server := httptest.NewServer(gleap)
	defer server.Close()
	p := newProject(t, server.URL, "")
	p.write(t, "c.toml", fmt.Sprintf("project = \"p\"\n[gleap]\nbase_url = %q\napi_token_env = \"TOKEN\"\nrate = 0\n[sync]\nmemory = \"64MiB\"\n[[track]]\nsource = \"calls\"\n", server.URL))
	if err := os.Mkdir(p.path("calls"), 0o700); err != nil {
		t.Fatal(err)
	}
	for n := range files {
		f, err := os.Create(filepath.Join(p.path("calls"), fmt.Sprint(n)))
		if err != nil {
			t.Fatal(err)
		}
		w := bufio.NewWriter(f)
		for i := n; i < events; i += files {
			fmt.Fprintf(w, `{"anonymousId":null,"channel":"client","context":{"library":{"name":"analytics.js","version":"4.1.0"},"page":{"url":"https://shop.example.com/checkout"}},"event":"Order Completed","integrations":{},"messageId":"ajs-next-%032d","properties":{"order_id":"%012d","total":%d.5,"currency":"EUR","coupon":null,"first":%t,"products":["sku-1","sku-2"]},"receivedAt":"2026-11-24T08:15:00.123Z","timestamp":"2026-11-24T08:%02d:%02d.%03dZ","type":"track","userId":"user-%d"}`+"\n",
				i, i, i%500, i%3 == 0, i%60, i/60%60, i%1000, i*2654435761%users)
		}
		if err := errors.Join(w.Flush(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	run := func(command string) (runs.Report, time.Duration) {
		t.Helper()
		cmd := p.command(command, "--output", "json", "--log-level", "error")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, os.Stderr
		began := time.Now()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() { ended <- cmd.Wait() }()
		most := 0
		for running := true; running; {
			select {
			case err := <-ended:
				if err != nil {
					t.Fatal(err)
				}
				running = false
			case <-time.After(20 * time.Millisecond):
				most = max(most, anonymous(cmd.Process.Pid))
			}
		}
		var report runs.Report
		if err := json.Unmarshal(out.Bytes(), &report); err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		t.Logf("%s: %.1f s, %d MiB of anonymous memory", command, took.Seconds(), most>>20)
		if most > 256<<20 {
			t.Errorf("%s took %d MiB", command, most>>20)
		}
		return report, took
	}
	if planned, _ := run("plan"); planned.Events.Planned != events || planned.Calls.Track != events/100 {
		t.Fatalf("%+v %+v", planned.Events, planned.Calls)
	}
	sent, _ := run("sync")
	if sent.Outcome != runs.Complete || sent.Events.Sent != events || sent.Calls.Track != events/100 || gleap.Counts().Events != events {
		t.Fatalf("%s %+v %+v", sent.Outcome, sent.Events, sent.Calls)
	}
	if again, _ := run("sync"); again.Events.Planned != 0 || gleap.Counts().Events != events {
		t.Fatalf("%+v", again.Events)
	}
	info, err := os.Stat(p.path("gleapsync.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the state has %d MB", info.Size()/1e6)
}

// anonymous returns how much anonymous memory a process has in bytes, 0 if it is gone.
func anonymous(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	var kilobytes int
	fmt.Sscan(rest, &kilobytes)
	return kilobytes << 10
}
