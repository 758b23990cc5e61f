//go:build !nocloud

package deliveries

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gleapsync/internal/bucket"
	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
	"gleapsync/internal/s3test"
)

func address(t fataler, text string) bucket.Address {
	t.Helper()
	a, err := bucket.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func (p Place) all(t testing.TB, q Query) (all []Delivery) {
	t.Helper()
	if err := p.Read(t.Context(), q, func(d Delivery) error { all = append(all, d); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func (p Place) append(t fataler, run string, at time.Time, ids ...string) {
	t.Helper()
	w, err := p.Open(run)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if err := w.Append([]Delivery{{At: at, UserID: id}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func (b *Bucket) objects(t testing.TB) (names []string) {
	t.Helper()
	at, err := b.address.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if names, err = b.parts(t.Context(), at, ""); err != nil {
		t.Fatal(err)
	}
	return names
}

func who(all []Delivery) (ids []string) {
	for _, d := range all {
		ids = append(ids, d.UserID)
	}
	return ids
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

var noon = time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)

// TestBucketLog: over random days, runs, crashes between a line, a part and the removal of its
// file, machines and questions, a bucket and the spools have what was appended, each line once and
// in order.
func TestBucketLog(t *testing.T) {
	server := s3test.Start(t)
	round := 0
	rounds.Check(t, func(r *rapid.T) {
		round++
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			r.Fatal(err)
		}
		place := Place{Bucket: In(address(r, server.URL(fmt.Sprintf("log/%d", round))), filepath.Join(dir, "spool"))}
		ids := []string{"u1", "u2", `a"b\c`, "é"}
		now := noon
		var want []Delivery
		ship := func(again bool) {
			kept := map[string][]byte{}
			files, _ := filepath.Glob(filepath.Join(place.Bucket.dir, "*"))
			for _, f := range files {
				kept[f], _ = os.ReadFile(f)
			}
			if err := place.Ship(t.Context(), nil); err != nil {
				r.Fatal(err)
			}
			if left, _ := filepath.Glob(filepath.Join(place.Bucket.dir, "*")); len(left) > 0 {
				r.Fatalf("left: %v", left)
			}
			for f, text := range kept {
				if again { // it was killed before it could remove them
					if err := os.WriteFile(f, text, 0o600); err != nil {
						r.Fatal(err)
					}
				}
			}
		}
		for run := range rapid.IntRange(1, 4).Draw(r, "runs") {
			name := fmt.Sprintf("run-%d", run)
			w, err := place.Open(name)
			if err != nil {
				r.Fatal(err)
			}
			call := 0
			for range rapid.IntRange(0, 4).Draw(r, "batches") {
				var batch []Delivery
				for range rapid.IntRange(1, 4).Draw(r, "calls") {
					now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(r, "hours")) * time.Hour)
					call++
					d := Delivery{
						At: now, Run: name, Call: call, UserID: rapid.SampledFrom(ids).Draw(r, "id"), Class: runs.ClassExit,
						Set: map[string]json.RawMessage{"vip": raw("true")}, Was: map[string]json.RawMessage{}, Fields: []string{},
					}
					batch, want = append(batch, d), append(want, d)
				}
				if err := w.Append(batch); err != nil {
					r.Fatal(err)
				}
				if rapid.IntRange(0, 2).Draw(r, "slice") == 0 {
					ship(false) // the run goes on behind it
				}
			}
			switch rapid.SampledFrom([]string{"", "cut", "kill", "again", "ship"}).Draw(r, "end") {
			case "cut": // within a line
				if w := w.(*spool); w.file != nil {
					if _, err := w.file.WriteAt([]byte(`{"at":"2027-01-02T02:0`), w.size); err != nil {
						r.Fatal(err)
					}
				}
			case "again":
				ship(true)
			case "ship":
				ship(false)
			}
			if err := w.Close(); err != nil {
				r.Fatal(err)
			}
			place.Bucket = In(place.Bucket.address, place.Bucket.dir) // another process
			if rapid.IntRange(0, 3).Draw(r, "forget") == 0 {
				id := rapid.SampledFrom(ids).Draw(r, "who")
				before := len(want)
				want = slices.DeleteFunc(want, func(d Delivery) bool { return d.UserID == id })
				if n, err := place.Forget(t.Context(), []string{id}); err != nil || n < before-len(want) {
					r.Fatalf("%d forgotten, %v, want %d", n, err, before-len(want))
				}
			}
		}
		q := Query{}
		if rapid.Bool().Draw(r, "by id") {
			q.UserIDs = []string{rapid.SampledFrom(ids).Draw(r, "asked")}
		}
		if rapid.Bool().Draw(r, "by time") {
			q.Since = noon.Add(time.Duration(rapid.IntRange(0, 100).Draw(r, "since")) * time.Hour)
		}
		asked := slices.DeleteFunc(slices.Clone(want), func(d Delivery) bool {
			return len(q.UserIDs) > 0 && d.UserID != q.UserIDs[0] || d.At.Before(q.Since)
		})
		for _, shipped := range []bool{false, true} {
			if shipped {
				ship(false)
			}
			if got := place.all(t, q); !reflect.DeepEqual(got, asked) && len(got)+len(asked) > 0 {
				r.Fatalf("shipped %t: got %v\nwant %v", shipped, got, asked)
			}
		}
	})
}

// TestShipAgain: a part that was put before the process was killed is not put over what was
// forgotten since.
func TestShipAgain(t *testing.T) {
	a := address(t, s3test.Start(t).URL("log"))
	here, elsewhere := Place{Bucket: In(a, t.TempDir())}, Place{Bucket: In(a, t.TempDir())}
	here.append(t, "run-1", noon, "u1", "u2")
	names, _ := here.Bucket.spooled()
	text, err := os.ReadFile(here.Bucket.path(names[0]))
	if err != nil {
		t.Fatal(err)
	}
	if err := here.Ship(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if n, err := elsewhere.Forget(t.Context(), []string{"u1", "u2"}); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if err := os.WriteFile(here.Bucket.path(names[0]), text, 0o600); err != nil {
		t.Fatal(err)
	}
	equal(t, "before", who(here.all(t, Query{})), "[]")
	if err := here.Ship(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	equal(t, "after", who(here.all(t, Query{})), "[]")

	// What was never put leaves out whom the state forgot meanwhile.
	here.append(t, "run-2", noon, "u1", "u3")
	if err := here.Ship(t.Context(), func(id string) bool { return id == "u1" }); err != nil {
		t.Fatal(err)
	}
	equal(t, "then", who(elsewhere.all(t, Query{})), "[u3]")
}

// TestBucketAway: what cannot be put stays here and goes the next time. Questions are no guess.
func TestBucketAway(t *testing.T) {
	server := s3test.Start(t)
	dir := t.TempDir()
	front := httptest.NewServer(http.NotFoundHandler()) // a refused connection is tried for long
	defer front.Close()
	away := Place{Bucket: In(address(t, s3test.URL(strings.TrimPrefix(front.URL, "http://"), "log")), dir)}
	back := Place{Bucket: In(address(t, server.URL("log")), dir)}
	away.append(t, "run-1", noon, "u1")
	err := away.Ship(t.Context(), nil)
	if err == nil || !errors.As(err, new(*bucket.Error)) || !strings.Contains(err.Error(), "what is in "+dir+" is not in the bucket yet (parts: 1): s3://exports/log: ") {
		t.Errorf("it is away: %v", err)
	}
	if err := away.Read(t.Context(), Query{}, func(Delivery) error { return nil }); err == nil {
		t.Error("half of it was read as all")
	}
	if _, err := away.Forget(t.Context(), []string{"u1"}); err == nil || errors.As(err, new(*StillError)) {
		t.Errorf("nobody knows what the bucket has: %v", err)
	}
	back.append(t, "run-2", noon, "u2")
	if err := back.Ship(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	equal(t, "all", who(back.all(t, Query{})), "[u1 u2]")
	equal(t, "parts", len(back.Bucket.objects(t)), 2)
}

// TestForgetRefused: a part whose answer was lost is there once. What cannot be written is named, and all else is forgotten.
func TestForgetRefused(t *testing.T) {
	server := s3test.Start(t)
	target, _ := url.Parse("http://" + server.Address)
	proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(target); p.Out.Host = p.In.Host }}
	var locked, loses atomic.Pointer[string]
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if day := locked.Load(); day != nil && r.Method == http.MethodPut && strings.Contains(r.URL.Path, *day) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<Error><Code>AccessDenied</Code></Error>")
			return
		}
		if r.Method == http.MethodPut && loses.Swap(nil) != nil {
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	}))
	defer front.Close()
	place := Place{Bucket: In(address(t, s3test.URL(strings.TrimPrefix(front.URL, "http://"), "log")), t.TempDir())}
	for day := range 3 {
		place.append(t, fmt.Sprintf("run-%d", day), noon.AddDate(0, 0, day), "u1", "u2")
	}
	loses.Store(new(string))
	if err := place.Ship(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	equal(t, "after a lost answer", who(place.all(t, Query{})), "[u1 u2 u1 u2 u1 u2]")
	day := "2027-01-02"
	locked.Store(&day)
	n, err := place.Forget(t.Context(), []string{"u1"})
	var still *StillError
	if n != 2 || !errors.As(err, &still) || len(still.Parts) != 1 || !strings.Contains(err.Error(), "s3://exports/log/2027-01-02-run-1-000001-") {
		t.Errorf("%d, %v", n, err)
	}
	equal(t, "left", who(place.all(t, Query{})), "[u2 u1 u2 u2]")
}

// TestBucketKeep: parts that are too old are removed, and nothing else.
func TestBucketKeep(t *testing.T) {
	place := Place{Bucket: In(address(t, s3test.Start(t).URL("log")), t.TempDir()), Keep: 48 * time.Hour}
	for day := range 5 {
		place.append(t, "run-1", noon.AddDate(0, 0, day), fmt.Sprint("u", day))
	}
	if err := place.Ship(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := place.Expire(t.Context(), noon.AddDate(0, 0, 4)); err != nil {
		t.Fatal(err)
	}
	var days []string
	for _, name := range place.Bucket.objects(t) {
		days = append(days, dayOfPart(name))
	}
	equal(t, "days", days, "[2027-01-02 2027-01-03 2027-01-04 2027-01-05]")
	begins, err := place.Begins(t.Context())
	equal(t, "begins", fmt.Sprint(begins, err), "2027-01-02<nil>")
}

// TestPartSize: a part is bounded, and so is what is read of one.
func TestPartSize(t *testing.T) {
	place := Place{Bucket: In(bucket.Address{}, t.TempDir())}
	w, err := place.Open("run-1")
	if err != nil {
		t.Fatal(err)
	}
	long := raw(`"` + strings.Repeat("x", partSize/4) + `"`)
	for range 10 {
		if err := w.Append([]Delivery{{At: noon, UserID: "u1", Set: map[string]json.RawMessage{"a": long}}}); err != nil {
			t.Fatal(err)
		}
	}
	names, err := place.Bucket.spooled()
	if err != nil || len(names) != 3 || !slices.IsSorted(names) {
		t.Errorf("%v, %v", names, err)
	}
}

// TestPrefixesFrom: lists that begin at a day have it and all later ones, each once, and none before.
func TestPrefixesFrom(t *testing.T) {
	rounds.Check(t, func(r *rapid.T) {
		draw := func(what string) string {
			return time.Date(2000, 1, 1+rapid.IntRange(0, 36_000).Draw(r, what), 0, 0, 0, 0, time.UTC).Format(dayFormat)
		}
		since, day, n := draw("since"), draw("day"), 0
		for _, prefix := range prefixesFrom(since) {
			if strings.HasPrefix(day+"-run-1", prefix) {
				n++
			}
		}
		if want := day >= since; (n == 1) != want || n > 1 {
			r.Fatalf("%s is in %d lists since %s: %v", day, n, since, prefixesFrom(since))
		}
	})
}
