package deliveries

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
)

func raw(text string) json.RawMessage { return json.RawMessage(text) }

func read(t testing.TB, dir string, q Query) (all []Delivery) {
	t.Helper()
	err := Read(t.Context(), dir, q, func(d Delivery) error { all = append(all, d); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestLine: what a line looks like is part of the contract.
func TestLine(t *testing.T) {
	dir := t.TempDir()
	log, err := Open(dir, 0, "run-1")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2027, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	d := Delivery{At: at, UserID: "u<1>", Class: runs.ClassExit, Set: map[string]json.RawMessage{"vip": raw("false")}, Was: map[string]json.RawMessage{"vip": raw("true")}, Fields: []string{"email"}}
	if err := log.Append([]Delivery{d}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "2027-01-02.jsonl"))
	const want = `{"at":"2027-01-02T02:04:05Z","run":"run-1","call":1,"user_id":"u<1>","class":"exit","set":{"vip":false},"was":{"vip":true},"fields":["email"]}` + "\n"
	if err != nil || string(text) != want {
		t.Errorf("got %s, %v, want %s", text, err, want)
	}
	if info, err := os.Stat(filepath.Join(dir, "2027-01-02.jsonl")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestLog: over random days, runs, crashes and questions, the log has what was appended to it,
// each line once.
func TestLog(t *testing.T) {
	rounds.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			r.Fatal(err)
		}
		ids := []string{"u1", "u2", `a"b\c`, "é", "1", "<x>"}
		now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
		var want []Delivery
		runCount := rapid.IntRange(1, 4).Draw(r, "runs")
		for run := range runCount {
			name := fmt.Sprintf("run-%d", run)
			log, err := Open(dir, 0, name)
			if err != nil {
				r.Fatal(err)
			}
			call := 0
			for range rapid.IntRange(0, 4).Draw(r, "batches") {
				var batch []Delivery
				for range rapid.IntRange(1, 5).Draw(r, "calls") {
					now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(r, "hours")) * time.Hour)
					key := rapid.SampledFrom([]string{"vip", "orders"}).Draw(r, "key")
					batch = append(batch, Delivery{
						At: now, UserID: rapid.SampledFrom(ids).Draw(r, "id"), Class: runs.Class(rapid.IntRange(0, 3).Draw(r, "class")),
						Set: map[string]json.RawMessage{key: raw("true")}, Was: map[string]json.RawMessage{}, Fields: []string{},
					})
				}
				if err := log.Append(batch); err != nil {
					r.Fatal(err)
				}
				for _, d := range batch {
					call++
					d.Run, d.Call = name, call
					want = append(want, d)
				}
			}
			day, size := log.day, log.size
			if err := log.Close(); err != nil {
				r.Fatal(err)
			}
			if path := filepath.Join(dir, day+plain); day != "" {
				text, err := os.ReadFile(path)
				if err != nil || int64(len(text)) != size {
					r.Fatalf("%d bytes, %v, want %d", len(text), err, size)
				}
				switch rapid.IntRange(0, 3).Draw(r, "crash") {
				case 1: // within a line
					text = append(text, `{"at":"2027-01-02T02:0`...)
				case 2: // before the log knew that its lines are there
					text = append(text, text[strings.LastIndexByte(string(text[:len(text)-1]), '\n')+1:]...)
				}
				if err := os.WriteFile(path, text, 0o600); err != nil {
					r.Fatal(err)
				}
			}
			if rapid.IntRange(0, 5).Draw(r, "forget") == 0 {
				who := []string{rapid.SampledFrom(ids).Draw(r, "who")}
				kept := slices.DeleteFunc(slices.Clone(want), func(d Delivery) bool { return slices.Contains(who, d.UserID) })
				n, err := Forget(dir, who)
				if err != nil || n < len(want)-len(kept) {
					r.Fatalf("%d forgotten, %v, want %d", n, err, len(want)-len(kept))
				}
				want = kept
			}
		}
		q := Query{}
		if rapid.Bool().Draw(r, "by id") {
			q.UserIDs = []string{rapid.SampledFrom(ids).Draw(r, "asked")}
		}
		if rapid.Bool().Draw(r, "by run") {
			q.Run = fmt.Sprintf("run-%d", rapid.IntRange(0, runCount).Draw(r, "run"))
		}
		if rapid.Bool().Draw(r, "by class") {
			class := runs.Class(rapid.IntRange(0, 3).Draw(r, "asked class"))
			q.Class = &class
		}
		if rapid.Bool().Draw(r, "by key") {
			q.Key = func(key string) bool { return key == "vip" }
		}
		if rapid.Bool().Draw(r, "by time") {
			q.Since = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 100).Draw(r, "since")) * time.Hour)
		}
		asked := slices.DeleteFunc(slices.Clone(want), func(d Delivery) bool {
			return len(q.UserIDs) > 0 && d.UserID != q.UserIDs[0] || q.Run != "" && d.Run != q.Run || q.Class != nil && d.Class != *q.Class ||
				q.Key != nil && d.Set["vip"] == nil || d.At.Before(q.Since)
		})
		if got := read(t, dir, q); !reflect.DeepEqual(got, asked) && len(got)+len(asked) > 0 {
			r.Fatalf("got %v\nwant %v", got, asked)
		}
	})
}

// TestKeep: days that are over are compressed, and go once they are too old.
func TestKeep(t *testing.T) {
	dir := t.TempDir()
	log, err := Open(dir, 48*time.Hour, "run-1")
	if err != nil {
		t.Fatal(err)
	}
	for day := range 5 {
		if err := log.Append([]Delivery{{At: time.Date(2027, 1, 1+day, 12, 0, 0, 0, time.UTC), UserID: "u"}}); err != nil {
			t.Fatal(err)
		}
	}
	entries, _ := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := []string{"2027-01-02.jsonl.zst", "2027-01-03.jsonl.zst", "2027-01-04.jsonl.zst", "2027-01-05.jsonl"}
	if !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
	if got := read(t, dir, Query{}); len(got) != 4 {
		t.Errorf("%d deliveries, want 4", len(got))
	}
}

// TestCrashBetweenForms: a crash while a file is compressed loses nothing and repeats nothing,
// and a contact that is forgotten then does not come back.
func TestCrashBetweenForms(t *testing.T) {
	dir := t.TempDir()
	log, err := Open(dir, 0, "run-1")
	if err != nil {
		t.Fatal(err)
	}
	day := filepath.Join(dir, "2027-01-01")
	if err := log.Append([]Delivery{{At: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), UserID: "u1"}, {At: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), UserID: "u2"}}); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(day + plain)
	if err := compress(day); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(day+plain, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := read(t, dir, Query{}); len(got) != 2 {
		t.Errorf("%d deliveries, want 2", len(got))
	}
	if n, err := Forget(dir, []string{"u1"}); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := log.Append([]Delivery{{At: time.Date(2027, 1, 1, 1, 0, 0, 0, time.UTC), UserID: "u3"}}); err != nil {
		t.Fatal(err)
	}
	var who []string
	for _, d := range read(t, dir, Query{}) {
		who = append(who, d.UserID)
	}
	if !slices.Equal(who, []string{"u2", "u3"}) {
		t.Errorf("got %v, want u2 and u3", who)
	}
}

// BenchmarkRead: one contact's deliveries of 90 days with 100,000 each.
func BenchmarkRead(b *testing.B) {
	dir := b.TempDir()
	log, err := Open(dir, 0, "20270101T000000.000000Z-0001")
	if err != nil {
		b.Fatal(err)
	}
	batch := make([]Delivery, 10_000)
	for day := range 90 {
		for part := range 10 {
			for i := range batch {
				n := (day*7919 + part*10_000 + i*31) % 1_000_000
				batch[i] = Delivery{
					At: time.Date(2027, 1, 1+day, 0, 0, part*1000+i/10, i%10*1e8, time.UTC), UserID: fmt.Sprintf("user-%07d", n), Class: runs.ClassEntry,
					Set: map[string]json.RawMessage{fmt.Sprintf("audience_%d", n%100): raw("true"), "total_orders": raw(fmt.Sprint(n % 997))},
					Was: map[string]json.RawMessage{"total_orders": raw(fmt.Sprint(n % 991))}, Fields: []string{},
				}
			}
			if err := log.Append(batch); err != nil {
				b.Fatal(err)
			}
		}
	}
	for b.Loop() {
		if got := read(b, dir, Query{UserIDs: []string{"user-0012345"}}); len(got) == 0 {
			b.Fatal("nothing was found")
		}
	}
}
