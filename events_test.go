//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gleapsync/sync"
)

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
		var report sync.Report
		if err := errors.Join(err, json.Unmarshal(out, &report)); err != nil {
			t.Fatal(err)
		}
		if len(report.Exports) != 20 || report.Exports[0].Rows != events || report.Contacts.Planned == 0 {
			t.Fatalf("%d exports, %+v", len(report.Exports), report.Contacts)
		}
		t.Logf("%d MB in %.2f s: %.0f MB/s", size/1e6, took.Seconds(), float64(size)/1e6/took.Seconds())
	}
}
