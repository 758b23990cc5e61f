package sync

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/guard"
	"gleapsync/internal/inputs"
	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
	"gleapsync/internal/savedplan"
	"gleapsync/internal/values"
)

// planned is what plan --changes says of a contact, read back from its JSON.
type planned struct {
	UserID     string `json:"user_id"`
	Class      string `json:"class"`
	Attributes []struct {
		Key    string          `json:"key"`
		Old    json.RawMessage `json:"old"`
		New    json.RawMessage `json:"new"`
		Source string          `json:"source"`
		Line   int             `json:"line"`
	} `json:"attributes"`
	Fields []string `json:"fields"`
}

// readPlanned reads a contact's JSON as strictly as anybody may.
func readPlanned(t fataler, c *PlannedContact) planned {
	text := c.AppendJSON(nil)
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	var p planned
	if err := d.Decode(&p); err != nil || p.Fields == nil || p.Attributes == nil || strings.Contains(string(text), "\n") {
		t.Fatal(string(text), err)
	}
	return p
}

// changes returns what a look at the plan shows.
func (w *world) changes(t fataler, request inputs.Request, look func(*Runner, context.Context, inputs.Request, func(*PlannedContact) error) (runs.Report, error)) (runs.Report, []planned) {
	var all []planned
	report, err := look(w.runner(t), context.Background(), request, func(c *PlannedContact) error {
		all = append(all, readPlanned(t, c))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return report, all
}

// body is what one or more calls that follow each other say of a contact.
type body struct {
	userID  string
	keys    []string
	values  []string
	fields  []string
	refused bool
}

// listener is a Gleap that writes down what it is told.
type listener struct {
	fakeGleap
	bodies []body
	acked  int                          // calls
	told   map[string]map[string]string // what it acknowledged: by user id, by key, as JSON
}

func (l *listener) Identify(ctx context.Context, c *gleap.Contact) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	id := string(c.UserID)
	if len(l.bodies) == 0 || l.bodies[len(l.bodies)-1].userID != id {
		l.bodies = append(l.bodies, body{userID: id})
	}
	b := &l.bodies[len(l.bodies)-1]
	for _, f := range c.Fields {
		b.fields = append(b.fields, f.Field.String())
	}
	for _, a := range c.Attributes {
		b.keys, b.values = append(b.keys, a.Key), append(b.values, string(a.Value.AppendJSON(nil)))
	}
	if err := l.fakeGleap.Identify(ctx, c); err != nil {
		b.refused = true
		return err
	}
	l.acked++
	if l.told[id] == nil {
		l.told[id] = map[string]string{}
	}
	for _, a := range c.Attributes {
		l.told[id][a.Key] = string(a.Value.AppendJSON(nil))
	}
	return nil
}

// TestPlannedModel: for random days, states, guards and requests, what the plan shows is what Gleap then
// receives, one to one: the contacts in the order of the calls, their values and fields. What
// it shows as old is what Gleap acknowledged last; where a line is named, the row of that user
// stands there.
func TestPlannedModel(t *testing.T) {
	t.Parallel() // it waits for the disk
	rounds.Check(t, func(r *rapid.T) {
		wide := inputs.Export{Export: engage.Export{Source: "wide.csv"}}
		header := "user_id,tier"
		for i := range 40 {
			name := fmt.Sprintf("w%02d", i)
			header += "," + name
			wide.Attributes = append(wide.Attributes, engage.Attribute{Kind: engage.Audience, Key: name, Column: name})
		}
		wide.Attributes = append(wide.Attributes, engage.Attribute{Kind: engage.Trait, Key: "tier", Column: "tier", Type: values.Text})
		wide.Identifiers = rapid.SampledFrom([]engage.Identifiers{engage.AllIDs, engage.FirstID, engage.LastID}).Draw(r, "identifiers")
		cleared := trait("cleared.csv", "cleared")
		cleared.ClearMissing = true
		events := changeExport(engage.Attribute{Kind: engage.Audience, Key: "live", Name: "live"})
		w := newWorld(t, audience("a.csv", "a"), audience("b.csv", "b"), trait("score.csv", "score"), cleared, wide, events)
		defer w.server.Close()
		w.options.Fields = []inputs.Field{{Field: gleap.Email, Columns: []string{"email"}}}
		w.options.Memory = 1
		w.options.Guard.MaxExits = limit(rapid.SampledFrom([]string{"30%", "70%", "100%"}).Draw(r, "max_exits"))
		w.options.Guard.MaxInvalid, _ = guard.ParseLimit("100%")
		for i := range w.options.Exports {
			w.options.Exports[i].AllowEmpty = true
		}
		user := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h", "007", "x<y"})
		users := func(what string) []string { return rapid.SliceOfNDistinct(user, 0, 8, rapid.ID).Draw(r, what) }
		broken := func(text string) string {
			if rapid.IntRange(0, 5).Draw(r, "broken") == 0 {
				return text + "b,x\"\n"
			}
			return text
		}
		w.writeEvents(r, "0.ndjson", out("nobody", "live", 0))
		told := map[string]map[string]string{}
		unanswered := map[string]bool{} // contacts of whom Gleap may have what no row says any more
		parked := map[string]bool{}
		for day := range rapid.IntRange(1, 5).Draw(r, "days") {
			for _, name := range []string{"a.csv", "b.csv"} {
				text := "user_id,email\n"
				for _, id := range users(name) {
					text += id + "," + rapid.SampledFrom([]string{"", "x@x.io", "y@x.io"}).Draw(r, "email") + "\n"
				}
				w.write(r, name, broken(text))
			}
			for _, name := range []string{"score.csv", "cleared.csv"} {
				text := "user_id,value\n"
				for _, id := range users(name) {
					text += id + "," + rapid.SampledFrom([]string{"1", "2.50", "3", ""}).Draw(r, "value") + "\n"
				}
				w.write(r, name, broken(text))
			}
			text := header + "\n"
			for _, id := range users("wide.csv") {
				text += id + "," + rapid.SampledFrom([]string{"gold", "silver", "two\nlines", ""}).Draw(r, "tier")
				all := rapid.SampledFrom([]string{",true", ",f", ","}).Draw(r, "wide")
				text += strings.Repeat(all, 40) + "\n"
			}
			text = strings.ReplaceAll(text, "two\nlines", "\"two\nlines\"")
			w.write(r, "wide.csv", text)
			lines := ""
			for i, id := range users("events") {
				if at := day*100 + i; rapid.Bool().Draw(r, "in") {
					lines += in(id, "live", at)
				} else {
					lines += out(id, "live", at)
				}
			}
			w.writeEvents(r, fmt.Sprintf("%d.ndjson", day+1), lines)

			request := inputs.Request{Full: rapid.IntRange(0, 6).Draw(r, "full") == 0}
			if rapid.IntRange(0, 4).Draw(r, "only") == 0 {
				request.Only = []string{rapid.SampledFrom([]string{"a", "w*", "score"}).Draw(r, "key")}
			}
			report, all := w.changes(r, request, (*Runner).Changes)
			plan, err := w.runner(r).Plan(context.Background(), request)
			if err != nil || plan.Contacts != report.Contacts || !slices.Equal(plan.Classes, report.Classes) {
				r.Fatalf("day %d: %+v %+v, the plan says %+v %+v, %v", day, report.Contacts, report.Classes, plan.Contacts, plan.Classes, err)
			}
			if len(parked) == 0 { // who is parked leaves once something else is wanted of him
				w.checkHeld(r, request)
			}
			saved := ""
			if !(request.Full && request.Only != nil) && rapid.Bool().Draw(r, "saved") {
				saved = w.save(r, request)
				if shown := w.shown(r, saved); asJSON(map[string]any{"": shown}) != asJSON(map[string]any{"": all}) {
					r.Fatalf("day %d: the file shows %+v, the plan %+v", day, shown, all)
				}
			}
			calls := rapid.SampledFrom([]int{3, 1000}).Draw(r, "room") // before the deadline
			refuses := rapid.IntRange(0, 4).Draw(r, "refuses") == 0
			before := map[string]map[string]string{}
			for id, values := range told {
				before[id] = maps.Clone(values)
			}
			ctx, cancel := context.WithCancelCause(context.Background())
			l := &listener{told: told}
			l.after = func(n int) error {
				switch {
				case n > calls:
					cancel(errDeadline)
					return errDeadline
				case refuses && n == 2:
					return &gleap.RefusedError{Status: 422}
				}
				return nil
			}
			runner := w.with(r, &l.fakeGleap)
			runner.client = l
			if saved == "" {
				_, err = runner.Sync(ctx, request)
			} else {
				_, err = runner.carryOut(ctx, r, saved)
			}
			if err != nil && !errors.Is(err, context.Canceled) {
				r.Fatal(err)
			}
			cancel(nil)
			if len(l.bodies) > len(all) || calls == 1000 && len(l.bodies) != len(all) {
				r.Fatalf("day %d: the plan shows %d contacts, Gleap heard of %d", day, len(all), len(l.bodies))
			}
			var classes [runs.Classes]int
			for i, p := range all {
				classes[rank(r, p.Class)]++
				w.checkPlanned(r, &p, before[p.UserID], unanswered[p.UserID])
				if i >= len(l.bodies) {
					continue
				}
				b := l.bodies[i]
				if b.refused {
					unanswered[b.userID] = true // from the next day on: each contact comes once
					parked[b.userID] = refuses
				}
				var keys, values []string
				for _, a := range p.Attributes {
					keys, values = append(keys, a.Key), append(values, string(a.New))
				}
				if b.refused || calls != 1000 { // maybe before its last call
					keys, values = keys[:min(len(keys), len(b.keys))], values[:min(len(values), len(b.values))]
				}
				if b.userID != p.UserID || !slices.Equal(b.keys, keys) || !slices.Equal(b.values, values) || !slices.Equal(b.fields, p.Fields) {
					r.Fatalf("day %d: the plan shows %+v, Gleap heard %+v", day, p, b)
				}
			}
			if saved != "" && !refuses && rapid.Bool().Draw(r, "go on") {
				w.goOn(r, l, saved, all, plan.Calls.Identify, request.Full)
			}
			for class, n := range classes {
				if report.Classes[class].Planned != n {
					r.Fatalf("day %d: %v of the classes, the report says %+v", day, classes, report.Classes)
				}
			}
		}
	})
}

// shown returns what a saved plan shows.
func (w *world) shown(t fataler, path string) (all []planned) {
	f, err := savedplan.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := ShowSaved(context.Background(), f, w.dir, func(c *PlannedContact) error {
		all = append(all, readPlanned(t, c))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// goOn carries a plan out that was cut short: in the end each of its calls was acknowledged, once,
// and it is complete. Of a full resync the contact that was cut off between its calls is told all of
// them again: only with the last one its record shows that it took part.
func (w *world) goOn(t *rapid.T, l *listener, path string, all []planned, calls int, full bool) {
	l.after = nil
	runner := w.with(t, &l.fakeGleap)
	runner.client = l
	for cut := l.acked < calls; ; cut = false {
		_, err := runner.carryOut(context.Background(), t, path)
		if cut && err != nil || !cut && !isRefused(err, "complete") {
			t.Fatalf("%d of %d calls were made: %v", l.acked, calls, err)
		}
		if !cut {
			break
		}
	}
	repeated := 0
	if cutOff := slices.ContainsFunc(all, func(p planned) bool { return len(p.Attributes) > gleap.MaxAttributes }); full && cutOff {
		repeated = 1
	}
	if l.acked < calls || l.acked > calls+repeated {
		t.Fatalf("%d calls, the plan has %d", l.acked, calls)
	}
	for _, p := range all {
		for _, a := range p.Attributes {
			if l.told[p.UserID][a.Key] != string(a.New) {
				t.Fatalf("%s has %s = %s, the plan shows %s", p.UserID, a.Key, l.told[p.UserID][a.Key], a.New)
			}
		}
	}
}

// rank returns the class of a name.
func rank(t fataler, name string) (class runs.Class) {
	if err := class.UnmarshalText([]byte(name)); err != nil {
		t.Fatal(err)
	}
	return class
}

// checkHeld checks that those are listed whose exits are held or withheld: who would leave if
// all exits were let go, as many as the report says.
func (w *world) checkHeld(t *rapid.T, request inputs.Request) {
	report, held := w.changes(t, request, func(r *Runner, ctx context.Context, request inputs.Request, yield func(*PlannedContact) error) (runs.Report, error) {
		return r.Held(ctx, request, func(runs.Report, map[string]int) error { return nil }, yield)
	})
	want := map[string]int{}
	all := request
	all.MaxExits = map[string]guard.Limit{}
	for _, e := range report.Exports {
		if want[e.Key] = e.Withheld; e.Status == runs.StatusHeld {
			want[e.Key] = e.Exited
		}
		all.MaxExits[e.Key] = limit("100%")
		all.AcceptAbsence = append(all.AcceptAbsence, e.Key)
	}
	_, free := w.changes(t, all, (*Runner).Changes)
	leavers := func(contacts []planned) (list []string) {
		for _, p := range contacts {
			for _, a := range p.Attributes {
				if leaves := string(a.New) == "false" || string(a.New) == "null"; leaves && string(a.Old) != string(a.New) && want[a.Key] > 0 {
					list = append(list, fmt.Sprintf("%s %s %s", p.UserID, a.Key, a.Old))
				}
			}
		}
		slices.Sort(list)
		return list
	}
	got, n, sum := leavers(held), 0, 0
	for _, p := range held {
		n += len(p.Attributes)
		if len(p.Fields) > 0 {
			t.Fatalf("%+v", p)
		}
	}
	inOrder := slices.IsSortedFunc(held, func(a, b planned) int {
		return cmp.Or(cmp.Compare(rank(t, a.Class), rank(t, b.Class)), cmp.Compare(a.UserID, b.UserID))
	})
	for _, exits := range want {
		sum += exits
	}
	if !inOrder || n != len(got) || n != sum || !slices.Equal(got, leavers(free)) {
		t.Fatalf("%d of %d held: %q, without guards %q leave", n, sum, got, leavers(free))
	}
}

// checkPlanned checks what is shown of a contact of whom Gleap acknowledged some values.
func (w *world) checkPlanned(t *rapid.T, p *planned, told map[string]string, unanswered bool) {
	for _, a := range p.Attributes {
		old, was := told[a.Key]
		if was != (a.Old != nil) || was && old != string(a.Old) {
			t.Fatalf("%s: %s, Gleap has %q", p.UserID, a.Key, old)
		}
		leaves := string(a.New) == "false" || string(a.New) == "null"
		if a.Line == 0 && !leaves && (!was || old != string(a.New)) && a.Key != "live" && !unanswered {
			t.Fatalf("%s: nobody knows where %s stands", p.UserID, a.Key)
		}
		if a.Line == 0 || a.Key == "live" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(w.dir, a.Source))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		if a.Line > len(lines) || !strings.HasPrefix(lines[a.Line-1], p.UserID+",") {
			t.Fatalf("%s: %s does not stand in %s:%d", p.UserID, a.Key, a.Source, a.Line)
		}
	}
}
