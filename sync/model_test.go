package sync

import (
	"cmp"
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
	"gleapsync/internal/guard"
	"gleapsync/internal/inputs"
	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
	"gleapsync/internal/values"
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

func newWorld(t testing.TB, exports ...inputs.Export) *world {
	w := &world{dir: t.TempDir(), gleap: sandbox.New(sandbox.Options{Token: "token"})}
	w.server = httptest.NewServer(w.gleap)
	t.Cleanup(func() {
		w.server.Close()
		w.checkLedger(t)
	})
	for i := range exports {
		exports[i].Dir = w.dir
	}
	w.options = Options{
		Project: "acme", Exports: exports, TempDir: w.dir, Memory: 16 << 20, Window: time.Minute, Concurrency: 4,
		Guard: guard.Limits{MaxExits: limit("100%"), MinExits: 0, MaxInvalid: limit("1%")},
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

// writeParts divides the lines of an export into n parts in a folder, in place of those that
// are there.
func (w *world) writeParts(t fataler, folder, header string, lines []string, n int, saysAll bool) {
	dir := filepath.Join(w.dir, folder)
	if err := cmp.Or(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		part := lines[i*len(lines)/n : (i+1)*len(lines)/n]
		w.write(t, fmt.Sprintf("%s/%d.csv", folder, i), header+"\n"+strings.Join(part, ""))
	}
	if saysAll {
		w.write(t, folder+"/_SUCCESS", "")
	}
}

// sync runs a sync that must not fail.
func (w *world) sync(t fataler, request inputs.Request) runs.Report {
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

func audience(source, key string) inputs.Export {
	return inputs.Export{Export: engage.Export{Source: source, Attributes: []engage.Attribute{{Kind: engage.Audience, Key: key, Name: key}}}}
}

func trait(source, key string) inputs.Export {
	return inputs.Export{Export: engage.Export{Source: source, Attributes: []engage.Attribute{{Kind: engage.Trait, Key: key, Name: key, Type: values.Auto}}}}
}

// TestModel lets days of random exports pass, with rows that cannot be read, values that do
// not fit and parts that are missing. After every run Gleap must have what a map computes from
// the exports, and every changed contact must have had one call. Of an export that does not
// prove who is gone the map lets nobody go; on the last day all are whole.
func TestModel(t *testing.T) {
	t.Parallel() // it waits for the disk
	rounds.Check(t, func(r *rapid.T) {
		table := inputs.Export{Export: engage.Export{Source: "table.csv", Attributes: []engage.Attribute{
			{Kind: engage.Audience, Key: "churn", Column: "churn"},
			{Kind: engage.Trait, Key: "level", Column: "level", Type: values.Auto},
		}}}
		cleared := trait("cleared.csv", "cleared")
		cleared.ClearMissing = true
		kept := audience("kept.csv", "kept")
		kept.KeepAbsent = true
		vip := audience("vip", "vip")
		vip.Pick = engage.PickAll
		w := newWorld(t, vip, kept, trait("orders.csv", "orders"), cleared, table)
		w.options.Guard.MaxInvalid, _ = guard.ParseLimit("100%")
		for i := range w.options.Exports {
			w.options.Exports[i].AllowEmpty = true
		}
		w.options.Fields = []inputs.Field{{Field: gleap.Email, Columns: []string{"email"}}}
		w.options.Memory = 1 // as little as the sorter can do with
		defer w.server.Close()

		model := map[string]map[string]any{}
		email := map[string]string{}
		user := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "aa", "a!", "ü", "007", "7"})
		bools := rapid.SampledFrom([]string{"true", "f", "", "NULL", "perhaps"})
		// All values of a trait have one type, which the first ones decide.
		pools := [][]string{{"1", "0.50", "-7", "", "NaN"}, {"t", "FALSE", "true", "", "[]"}, {"007", "gold", "true", "", "12345678901234567890", "0.50"}}
		misfits := [][]string{{"gold", "007", "9007199254740993", "t"}, {"maybe", "1"}, nil} // once the type is known
		pool := map[string]*rapid.Generator[string]{}
		typed := map[string]bool{}    // a value of it was delivered
		unproven := map[string]bool{} // exports whose absences do not count, by file
		withheld := map[string]int{}  // by key
		parts := 0                    // of the last vip of which nothing seemed to be missing; while exits are withheld, the most of them
		kinds := map[string]int{}
		for _, key := range []string{"orders", "cleared", "level"} {
			kinds[key] = rapid.IntRange(0, len(pools)-1).Draw(r, key)
			pool[key] = rapid.SampledFrom(pools[kinds[key]])
			if kinds[key] == 2 { // "true" or "0.50" alone would be none
				for i := range w.options.Exports {
					for j := range w.options.Exports[i].Attributes {
						if a := &w.options.Exports[i].Attributes[j]; a.Key == key {
							a.Type = values.Text
						}
					}
				}
			}
		}
		days := rapid.IntRange(1, 6).Draw(r, "days")
		for day := range days {
			isLast := day == days-1
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
			written := parts    // of vip
			var emails []string // of everybody, in the order in which the exports name them
			rows := func(name, header string, draw func(id string) string) map[string][]string {
				if day > 0 && rapid.IntRange(0, 4).Draw(r, "keep "+name) == 0 && !(isLast && unproven[name]) {
					return nil // the file of the day before stays
				}
				var lines []string
				said := map[string][]string{}
				for range rapid.IntRange(0, 12).Draw(r, name) {
					id := user.Draw(r, "user")
					row := draw(id)
					lines = append(lines, fmt.Sprintf("%q,%s\n", id, row))
					said[id] = append(said[id], row)
				}
				unproven[name] = !isLast && rapid.IntRange(0, 4).Draw(r, "break "+name) == 0
				if unproven[name] { // there is a row of nobody knows whom
					lines = slices.Insert(lines, rapid.IntRange(0, len(lines)).Draw(r, "at"), "b,x\"\n")
				}
				if name != "vip" {
					w.write(r, name, header+"\n"+strings.Join(lines, ""))
					return said
				}
				n := rapid.IntRange(1, 4).Draw(r, "parts")
				saysAll := isLast || rapid.IntRange(0, 3).Draw(r, "_SUCCESS") == 0
				w.writeParts(r, name, header, lines, n, saysAll)
				if n < parts && !saysAll {
					unproven[name] = true
				} else {
					written = n
				}
				return said
			}
			member := func(string) string { return "" }
			// leave says of all who have a value and are not in a file that they have another.
			leave := func(name, key string, said map[string][]string, to any) {
				withheld[key] = 0
				for id, m := range model {
					switch {
					case said[id] != nil || m[key] == nil || m[key] == to:
					case unproven[name]:
						withheld[key]++
					default:
						set(id, key, to)
					}
				}
			}
			snapshot := func(name, key string, keep bool) {
				said := rows(name, "user_id,x", member)
				if said == nil {
					return
				}
				for id := range said {
					set(id, key, true)
				}
				if !keep {
					leave(name, key, said, false)
				}
			}
			snapshot("vip", "vip", false)
			if withheld["vip"] > 0 {
				written = max(written, parts)
			}
			parts = written
			snapshot("kept.csv", "kept", true)
			typedToday := map[string]bool{}
			value := func(key string) string {
				if misfit := misfits[kinds[key]]; typed[key] && misfit != nil && rapid.IntRange(0, 9).Draw(r, "misfit") == 0 {
					return rapid.SampledFrom(misfit).Draw(r, "misfit")
				}
				return pool[key].Draw(r, "value")
			}
			says := func(key, text string) bool {
				return text != "" && text != "NaN" && text != "[]" && !slices.Contains(misfits[kinds[key]], text)
			}
			setValue := func(id, key, text string) {
				if !says(key, text) {
					return
				}
				typedToday[key] = true
				switch {
				case kinds[key] == 0:
					set(id, key, json.Number(strings.TrimSuffix(text, "0")))
				case kinds[key] == 1:
					set(id, key, text != "FALSE")
				default:
					set(id, key, text)
				}
			}
			for _, name := range []string{"orders", "cleared"} {
				said := rows(name+".csv", "user_id,value", func(string) string { return value(name) })
				if said == nil {
					continue
				}
				for id, texts := range said {
					last := "" // of the values that say something
					for _, text := range texts {
						if says(name, text) {
							last = text
						}
					}
					setValue(id, name, last)
				}
				if name == "cleared" {
					leave("cleared.csv", name, said, nil)
				}
			}
			said := rows("table.csv", "user_id,churn,level,email", func(id string) string {
				address := rapid.SampledFrom([]string{"", "x@x.io", "y@x.io", "broken"}).Draw(r, "email")
				if address != "" && address != "broken" && !slices.Contains(emails, id) {
					emails = append(emails, id)
				}
				return bools.Draw(r, "churn") + "," + value("level") + "," + address
			})
			if said != nil {
				clear(email)
			}
			stayed := maps.Clone(said)
			for id, texts := range said {
				churn, level := "", ""
				for _, text := range texts {
					cells := strings.Split(text, ",")
					if cells[0] == "true" || cells[0] == "f" {
						churn = cells[0]
					}
					if says("level", cells[1]) {
						level = cells[1]
					}
					if email[id] == "" && cells[2] != "" {
						email[id] = cells[2] // the first one counts
					}
				}
				switch churn {
				case "true":
					set(id, "churn", true)
				case "f": // that is an exit as well
					delete(stayed, id)
				}
				setValue(id, "level", level)
			}
			if said != nil {
				leave("table.csv", "churn", stayed, false)
			}
			for id, address := range email {
				if model[id] != nil && address != "broken" {
					set(id, "email", address)
				}
			}

			before := w.gleap.Counts().Identify
			report := w.sync(r, inputs.Request{})
			if calls := w.gleap.Counts().Identify - before; calls != len(changed) || report.Calls.Identify != calls || report.Contacts.Planned != calls {
				r.Fatalf("day %d: %d calls, %d contacts changed, the report says %+v %+v %s", day, calls, len(changed), report.Contacts, report.Calls, report.Outcome)
			}
			outcome := runs.Complete
			for _, e := range report.Exports {
				if e.Withheld != withheld[e.Key] || e.Status == runs.StatusHeld {
					r.Fatalf("day %d: %d exits withheld of %+v", day, withheld[e.Key], e)
				}
				if e.Withheld > 0 {
					outcome = runs.Held
				}
			}
			if report.Outcome != outcome {
				r.Fatalf("day %d: %s, want %s", day, report.Outcome, outcome)
			}
			maps.Copy(typed, typedToday)
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
		if w.sync(r, inputs.Request{}); w.gleap.Counts().Identify != before {
			r.Fatal("a run without changes makes calls")
		}
		w.sync(r, inputs.Request{Full: true})
		if calls := w.gleap.Counts().Identify - before; calls != len(model) {
			r.Fatalf("a full resync of %d contacts makes %d calls", len(model), calls)
		}
	})
}

// limit returns a limit, of one written as it should be.
func limit(text string) guard.Limit {
	l, err := guard.ParseLimit(text)
	if err != nil {
		panic(err)
	}
	return l
}
