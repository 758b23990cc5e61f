package sync

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/gleap/sandbox"
	"gleapsync/state"
)

// world is a folder of exports, a state and a Gleap.
type world struct {
	dir     string
	options Options
	gleap   *sandbox.Sandbox
	server  *httptest.Server
	day     int
	clients []*gleap.Client // of gleap
}

func newWorld(t testing.TB, exports ...Export) *world {
	w := &world{dir: t.TempDir(), gleap: sandbox.New(sandbox.Options{Token: "token"})}
	w.server = httptest.NewServer(w.gleap)
	t.Cleanup(func() {
		w.server.Close()
		w.checkLedger(t)
	})
	percent := func(text string) Limit {
		l, err := ParseLimit(text)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	for i := range exports {
		exports[i].Dir = w.dir
	}
	w.options = Options{
		Project: "acme", Exports: exports, TempDir: w.dir, Memory: 16 << 20, Window: time.Minute, Concurrency: 4,
		Guard: Guard{MaxExits: percent("100%"), MinExits: 0, MaxInvalid: percent("1%")},
	}
	return w
}

// checkLedger checks that Gleap saw no request more than its clients took tickets.
func (w *world) checkLedger(t interface{ Errorf(string, ...any) }) {
	taken := 0
	for _, c := range w.clients {
		taken += c.Counts().Requests
	}
	if seen := w.gleap.Counts().Requests; seen > taken {
		t.Errorf("Gleap saw %d requests of %d tickets", seen, taken)
	}
}

// setGleap makes another Gleap of the world's.
func (w *world) setGleap(o sandbox.Options) {
	w.gleap, w.clients = sandbox.New(o), nil
	w.server.Config.Handler = w.gleap
	w.options.Rate, w.options.Window = o.Rate, o.Window
}

// write puts an export into the folder; each day's files are younger than those of
// the day before.
func (w *world) write(t fataler, name, text string) {
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.day++
	when := time.Date(2026, 1, 1, 0, 0, w.day, 0, time.UTC)
	if err := os.Chtimes(path, when, when); err != nil {
		t.Fatal(err)
	}
}

type fataler interface{ Fatal(...any) }

func (w *world) runner(t fataler) *Runner {
	store, err := state.Open(state.Options{Path: filepath.Join(w.dir, "state.db"), Project: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	client, err := gleap.New(gleap.Options{
		BaseURL: w.server.URL, Token: "token", Rate: w.options.Rate, Window: w.options.Window, Concurrency: 4, Timeout: 10 * time.Second,
		GiveUp: time.Minute, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.clients = append(w.clients, client)
	return New(w.options, store, client, slog.New(slog.DiscardHandler), nil)
}

// sync runs a sync that must not fail.
func (w *world) sync(t fataler, request Request) Report {
	report, err := w.runner(t).Sync(context.Background(), request)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// contacts returns what Gleap has, by user id, as JSON.
func (w *world) contacts() map[string]string {
	all := map[string]string{}
	for c := range w.gleap.Contacts() {
		all[c.UserID] = asJSON(c.Fields, c.Attributes)
	}
	return all
}

func asJSON(parts ...map[string]any) string {
	all := map[string]any{}
	for _, part := range parts {
		maps.Copy(all, part)
	}
	text, _ := json.Marshal(all)
	return string(text)
}

func audience(source, key string) Export {
	return Export{Export: engage.Export{Source: source, Attributes: []engage.Attribute{{Kind: engage.Audience, Key: key, Name: key}}}}
}

func trait(source, key string) Export {
	return Export{Export: engage.Export{Source: source, Attributes: []engage.Attribute{{Kind: engage.Trait, Key: key, Name: key, Type: engage.Auto}}}}
}

// TestModel lets days of random exports pass. After every run Gleap must have what a
// map computes from the exports, and every changed contact must have had one call.
func TestModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		table := Export{Export: engage.Export{Source: "table.csv", Attributes: []engage.Attribute{
			{Kind: engage.Audience, Key: "churn", Column: "churn"},
			{Kind: engage.Trait, Key: "level", Column: "level", Type: engage.Auto},
		}}}
		cleared := trait("cleared.csv", "cleared")
		cleared.ClearMissing = true
		kept := audience("kept.csv", "kept")
		kept.KeepAbsent = true
		w := newWorld(t, audience("vip.csv", "vip"), kept, trait("orders.csv", "orders"), cleared, table)
		for i := range w.options.Exports {
			w.options.Exports[i].AllowEmpty = true
		}
		w.options.Fields = []Field{{gleap.Email, []string{"email"}}}
		w.options.Memory = 1 // as little as the sorter can do with
		defer w.server.Close()

		model := map[string]map[string]any{}
		email := map[string]string{}
		user := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "aa", "a!", "ü", "007", "7"})
		bools := rapid.SampledFrom([]string{"true", "f", "", "NULL"})
		// All values of a trait have one type, which the first ones decide.
		pools := [][]string{{"1", "0.50", "-7", "", "NaN"}, {"t", "FALSE", "true", "", "[]"}, {"007", "gold", "true", "", "12345678901234567890", "0.50"}}
		pool := map[string]*rapid.Generator[string]{}
		kinds := map[string]int{}
		for _, key := range []string{"orders", "cleared", "level"} {
			kinds[key] = rapid.IntRange(0, len(pools)-1).Draw(r, key)
			pool[key] = rapid.SampledFrom(pools[kinds[key]])
			if kinds[key] == 2 { // "true" or "0.50" alone would be none
				for i := range w.options.Exports {
					for j := range w.options.Exports[i].Attributes {
						if a := &w.options.Exports[i].Attributes[j]; a.Key == key {
							a.Type = engage.Text
						}
					}
				}
			}
		}
		for day := range rapid.IntRange(1, 6).Draw(r, "days") {
			changed := map[string]bool{}
			set := func(id, key string, v any) {
				if model[id] == nil {
					model[id] = map[string]any{}
				}
				if model[id][key] != v {
					model[id][key] = v
					changed[id] = true
				}
			}
			var emails []string // of everybody, in the order in which the exports name them
			rows := func(name, header string, draw func(id string) string) map[string][]string {
				text := header + "\n"
				said := map[string][]string{}
				for range rapid.IntRange(0, 12).Draw(r, name) {
					id := user.Draw(r, "user")
					row := draw(id)
					text += fmt.Sprintf("%q,%s\n", id, row)
					said[id] = append(said[id], row)
				}
				if rapid.IntRange(0, 4).Draw(r, "keep "+name) > 0 || day == 0 {
					w.write(r, name, text)
				} else {
					return nil // the file of the day before stays
				}
				return said
			}
			member := func(string) string { return "" }
			snapshot := func(name, key string, keep bool) {
				said := rows(name, "user_id,x", member)
				if said == nil {
					return
				}
				for id := range said {
					set(id, key, true)
				}
				for id, m := range model {
					if said[id] == nil && m[key] == true && !keep {
						set(id, key, false)
					}
				}
			}
			snapshot("vip.csv", "vip", false)
			snapshot("kept.csv", "kept", true)
			setValue := func(id, key, text string) {
				switch {
				case text == "", text == "NaN", text == "[]":
				case kinds[key] == 0:
					set(id, key, json.Number(strings.TrimSuffix(text, "0")))
				case kinds[key] == 1:
					set(id, key, text != "FALSE")
				default:
					set(id, key, text)
				}
			}
			for _, name := range []string{"orders", "cleared"} {
				said := rows(name+".csv", "user_id,value", func(string) string { return pool[name].Draw(r, "value") })
				if said == nil {
					continue
				}
				for id, texts := range said {
					last := "" // of the values that say something
					for _, text := range texts {
						if text != "" && text != "NaN" && text != "[]" {
							last = text
						}
					}
					setValue(id, name, last)
				}
				for id, m := range model {
					if name == "cleared" && said[id] == nil && m[name] != nil {
						set(id, name, nil)
					}
				}
			}
			said := rows("table.csv", "user_id,churn,level,email", func(id string) string {
				address := rapid.SampledFrom([]string{"", "x@x.io", "y@x.io", "broken"}).Draw(r, "email")
				if address != "" && address != "broken" && !slices.Contains(emails, id) {
					emails = append(emails, id)
				}
				return bools.Draw(r, "churn") + "," + pool["level"].Draw(r, "level") + "," + address
			})
			if said != nil {
				clear(email)
			}
			for id, texts := range said {
				churn, level := "", ""
				for _, text := range texts {
					cells := strings.Split(text, ",")
					if cells[0] == "true" || cells[0] == "f" {
						churn = cells[0]
					}
					if cells[1] != "" && cells[1] != "NaN" && cells[1] != "[]" {
						level = cells[1]
					}
					if email[id] == "" && cells[2] != "" {
						email[id] = cells[2] // the first one counts
					}
				}
				switch {
				case churn == "true":
					set(id, "churn", true)
				case churn == "f" && model[id]["churn"] == true:
					set(id, "churn", false)
				}
				setValue(id, "level", level)
			}
			if said != nil {
				for id, m := range model {
					if said[id] == nil && m["churn"] == true {
						set(id, "churn", false)
					}
				}
			}
			for id, address := range email {
				if model[id] != nil && address != "broken" {
					set(id, "email", address)
				}
			}

			before := w.gleap.Counts().Identify
			report := w.sync(r, Request{})
			if calls := w.gleap.Counts().Identify - before; calls != len(changed) || report.Calls.Identify != calls || report.Contacts.Planned != calls || report.Outcome != Complete {
				r.Fatalf("day %d: %d calls, %d contacts changed, the report says %+v %+v %s", day, calls, len(changed), report.Contacts, report.Calls, report.Outcome)
			}
			want := map[string]string{}
			for id, m := range model {
				m = maps.Clone(m)
				maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
				want[id] = asJSON(m)
			}
			if got := w.contacts(); !maps.Equal(got, want) {
				r.Fatalf("day %d: Gleap has %v\nwant %v", day, got, want)
			}
		}
		before := w.gleap.Counts().Identify
		if w.sync(r, Request{}); w.gleap.Counts().Identify != before {
			r.Fatal("a run without changes makes calls")
		}
		w.sync(r, Request{Full: true})
		if calls := w.gleap.Counts().Identify - before; calls != len(model) {
			r.Fatalf("a full resync of %d contacts makes %d calls", len(model), calls)
		}
	})
}
