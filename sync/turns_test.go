package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/inputs"
	"gleapsync/internal/planfile"
	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// syncUpTo is a sync that ends at its deadline, which comes with the call behind so many.
func (w *world) syncUpTo(t fataler, calls int, request inputs.Request) (runs.Report, []string) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	f := &fakeGleap{keep: true}
	f.after = func(n int) error {
		if n > calls {
			cancel(errDeadline)
			return errDeadline
		}
		return nil
	}
	report, err := w.with(t, f).Sync(ctx, request)
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return report, f.calls[:min(len(f.calls), calls)]
}

// scores gives so many contacts a value.
func scores(n int, value any) string {
	var text strings.Builder
	text.WriteString("user_id,value\n")
	for i := range n {
		fmt.Fprintf(&text, "u%04d,%v\n", i, value)
	}
	return text.String()
}

// TestNobodyWaitsForEver: 2,000 contacts whose score changes with every run, and room for 600
// calls. Each has its turn in every fourth run, and who enters an audience is told at once.
func TestNobodyWaitsForEver(t *testing.T) {
	w := newWorld(t, trait("s.csv", "score"), audience("a.csv", "a"))
	w.write(t, "s.csv", scores(2000, 0))
	w.write(t, "a.csv", list("u0000"))
	w.sync(t, inputs.Request{})
	lastTold := map[string]int{}
	var first runs.Report
	for run := 1; run <= 9; run++ {
		w.write(t, "s.csv", scores(2000, run))
		late := fmt.Sprintf("z%d", run)
		members := []string{"u0000"}
		for i := range run {
			members = append(members, fmt.Sprintf("z%d", i+1))
		}
		w.write(t, "a.csv", list(members...))
		report, calls := w.syncUpTo(t, 600, inputs.Request{})
		if run == 1 {
			first = report
		}
		if !slices.Contains(calls, late) {
			t.Errorf("run %d: %s is not told", run, late)
		}
		for _, id := range slices.DeleteFunc(calls, func(id string) bool { return id[0] == 'z' }) {
			if waited := run - lastTold[id]; waited > 4 {
				t.Errorf("run %d: %s waited %d runs", run, id, waited)
			}
			lastTold[id] = run
		}
		for i := range 2000 {
			if id := fmt.Sprintf("u%04d", i); run-lastTold[id] >= 4 {
				t.Errorf("run %d: %s waits since run %d", run, id, lastTold[id])
			}
		}
		change := report.Classes[runs.ClassChange]
		if report.Outcome != runs.Partial || change.Planned != 2000 || change.Left != 1401 || change.Since != first.Run || report.Classes[runs.ClassEntry].Left != 0 {
			t.Fatalf("run %d: %s, %+v", run, report.Outcome, report.Classes)
		}
		want := ""
		if run >= 3 {
			want = "does not converge: score alone costs 100 % of the calls"
		}
		if report.Convergence != want || report.Exports[0].CallsAlone != 2000 || report.Exports[1].CallsAlone != 1 {
			t.Errorf("run %d: %q, %d", run, report.Convergence, report.Exports[0].CallsAlone)
		}
	}
	planned, err := w.runner(t).Plan(t.Context(), inputs.Request{})
	if err != nil || planned.Convergence != "does not converge: score alone costs 100 % of the calls" || planned.Classes[runs.ClassChange].Since != first.Run {
		t.Errorf("%q, %+v, %v", planned.Convergence, planned.Classes, err)
	}
	if report := w.sync(t, inputs.Request{}); report.Convergence != "" || report.Classes[runs.ClassChange] != (runs.ClassReport{Class: runs.ClassChange, Planned: 1401}) {
		t.Errorf("%q, %+v", report.Convergence, report.Classes)
	}
	if o, err := w.runner(t).store.Overview(); err != nil || o.Turns.Classes != nil {
		t.Errorf("%+v, %v", o.Turns, err)
	}
}

// TestTurnsModel lets runs with less room than changes pass. Nobody waits longer than what
// is left over takes, memberships at most one run while they fit into nine tenths of the
// calls, and no class waits for ever. The report says of each class what was planned, what is
// left, and since when.
func TestTurnsModel(t *testing.T) {
	t.Parallel() // it waits for the disk
	rounds.Check(t, func(r *rapid.T) {
		const contacts = 40
		id := func(i int) string { return fmt.Sprintf("u%02d", i) }
		w := newWorld(t, trait("s.csv", "score"), audience("a.csv", "a"), audience("n.csv", "new"))
		defer w.server.Close()
		for i := range w.options.Exports {
			w.options.Exports[i].AllowEmpty = true
		}
		all := w.options.Exports
		w.options.Exports = all[:2]
		members := map[string]bool{}
		w.write(r, "s.csv", scores(1, 0))
		w.write(r, "a.csv", list())
		w.sync(r, inputs.Request{})
		w.options.Exports = all
		var newcomers []string
		for i := range contacts {
			newcomers = append(newcomers, "n"+id(i))
		}
		w.write(r, "n.csv", list(newcomers...))
		room := rapid.IntRange(10, 30).Draw(r, "room")
		mostMemberships := 9*room/10 - 1
		changedIn, membershipIn := map[string]int{}, map[string]int{}
		firstLeft := contacts
		classOf := func(who string) runs.Class {
			switch {
			case who[0] == 's':
				return runs.ClassChange
			case who[0] == 'n':
				return runs.ClassFirst
			case members[who]:
				return runs.ClassEntry
			}
			return runs.ClassExit
		}
		var since [runs.Classes]string
		for run := 1; run <= 12; run++ {
			text := "user_id,value\n"
			for i := range contacts {
				text += fmt.Sprintf("s%s,%d\n", id(i), run)
				if changedIn["s"+id(i)] == 0 {
					changedIn["s"+id(i)] = run
				}
			}
			w.write(r, "s.csv", text)
			flips := rapid.SliceOfNDistinct(rapid.IntRange(0, contacts-1), 0, mostMemberships, rapid.ID).Draw(r, "flips")
			for _, i := range flips {
				who := "m" + id(i)
				if membershipIn[who] != 0 { // it waits already
					continue
				}
				members[who] = !members[who]
				membershipIn[who] = run
			}
			present := []string{}
			for who, is := range members {
				if is {
					present = append(present, who)
				}
			}
			w.write(r, "a.csv", list(present...))
			left := [runs.Classes]int{runs.ClassChange: contacts, runs.ClassFirst: firstLeft}
			for who := range membershipIn {
				left[classOf(who)]++
			}
			planned := left
			report, calls := w.syncUpTo(r, room, inputs.Request{})
			for _, who := range calls {
				left[classOf(who)]--
				switch who[0] {
				case 's':
					delete(changedIn, who)
				case 'm':
					delete(membershipIn, who)
				case 'n':
					firstLeft--
				}
			}
			for class := range runs.Classes {
				if left[class] == 0 {
					since[class] = ""
				} else if since[class] == "" {
					since[class] = report.Run
				}
				if want := (runs.ClassReport{Class: class, Planned: planned[class], Left: left[class], Since: since[class]}); report.Classes[class] != want {
					r.Fatalf("run %d: %+v, want %+v", run, report.Classes[class], want)
				}
			}
			for who, since := range membershipIn {
				if run-since >= 1 {
					r.Fatalf("run %d: the membership of %s waits since run %d: %+v", run, who, since, report.Classes)
				}
			}
			tenth := max(1, (room-2)/10)
			for who, since := range changedIn {
				if bound := (contacts + tenth - 1) / tenth; run-since > bound {
					r.Fatalf("run %d: the change of %s waits since run %d", run, who, since)
				}
			}
			// Changes and first deliveries may share a tenth: one call of each in twenty.
			if firstLeft > max(0, contacts-((run-1)*(room-2)/20-1)) {
				r.Fatalf("run %d: %d first deliveries are left", run, firstLeft)
			}
		}
	})
}

// TestTinyRooms: with room for a few calls in a run none of the classes is starved of which
// something is always left over: each has one of any twenty calls that follow each other.
func TestTinyRooms(t *testing.T) {
	t.Parallel() // it waits for the disk
	for room := 1; room <= 9; room++ {
		const contacts, enough = 60, 45
		w := newWorld(t, trait("s.csv", "score"), audience("a.csv", "a"))
		ids := func(class string) (all []string) {
			for i := range contacts {
				all = append(all, fmt.Sprintf("%s%02d", class, i))
			}
			return all
		}
		w.write(t, "s.csv", scores(contacts, 0))
		w.write(t, "a.csv", list(ids("x")...))
		w.sync(t, inputs.Request{})
		w.options.Exports = append(w.options.Exports, audience("n.csv", "new"))
		w.options.Exports[2].Dir = w.dir
		w.write(t, "s.csv", scores(contacts, 1))
		w.write(t, "a.csv", list(ids("e")...))
		w.write(t, "n.csv", list(ids("n")...))
		left := map[byte]int{'x': contacts, 'e': contacts, 'u': contacts, 'n': contacts}
		var all []byte // of each call the letter of its class
		for len(all) < enough {
			report, calls := w.syncUpTo(t, room, inputs.Request{})
			for _, id := range calls {
				all = append(all, id[0])
				left[id[0]]--
			}
			if len(calls) != room || len(report.Classes) != int(runs.Classes) {
				t.Fatalf("room %d: %d calls, %+v", room, len(calls), report.Classes)
			}
			for class, letter := range []byte("xeun") {
				if got := report.Classes[class].Left; got != left[letter] {
					t.Errorf("room %d: %d of class %s are left, the report says %d", room, left[letter], runs.Class(class), got)
				}
			}
		}
		for from := room; from+planfile.Round <= len(all); from++ { // what is left over is known after the first run
			for _, letter := range []byte("xeun") {
				if !slices.Contains(all[from:from+planfile.Round], letter) {
					t.Fatalf("room %d: no call of %c behind the first %d: %s", room, letter, from, all)
				}
			}
		}
	}
}

// TestAudienceBesideChurn: an audience of which all is delivered counts as delivered, also if
// no run comes through its plan since something else changes too much.
func TestAudienceBesideChurn(t *testing.T) {
	w := newWorld(t, trait("s.csv", "score"))
	w.write(t, "s.csv", scores(100, 0))
	w.sync(t, inputs.Request{})
	w.options.Exports = append(w.options.Exports, audience("a.csv", "a"))
	w.options.Exports[1].Dir = w.dir
	w.write(t, "a.csv", list("v1", "v2", "v3"))
	for run := range 3 {
		w.write(t, "s.csv", scores(100, run+1))
		w.syncUpTo(t, 50, inputs.Request{})
	}
	w.write(t, "s.csv", scores(100, 9))
	w.write(t, "a.csv", list("v1", "v2", "v3", "v4"))
	if report, calls := w.syncUpTo(t, 50, inputs.Request{}); report.Classes[runs.ClassEntry].Planned != 1 || calls[0] != "v4" {
		t.Errorf("%+v, %v", report.Classes, calls[:3])
	}
	w.write(t, "s.csv", scores(100, 10))
	if report, _ := w.syncUpTo(t, 50, inputs.Request{}); report.Exports[1].Status != runs.StatusUnchanged {
		t.Errorf("%+v", report.Exports[1])
	}
}

// TestTurnsAreOfWholeSyncs: a sync of some exports takes no turns, nor does a retirement.
func TestTurnsAreOfWholeSyncs(t *testing.T) {
	w := newWorld(t, trait("s.csv", "score"), audience("a.csv", "a"))
	w.write(t, "s.csv", scores(20, 0))
	w.write(t, "a.csv", list("u0000"))
	w.sync(t, inputs.Request{})
	w.write(t, "s.csv", scores(20, 1))
	w.syncUpTo(t, 5, inputs.Request{})
	turns := func() state.Turns {
		t.Helper()
		o, err := w.runner(t).store.Overview()
		if err != nil {
			t.Fatal(err)
		}
		return o.Turns
	}
	before := turns()
	if before.Classes["change"].Last != "u0004" || before.At != 5 {
		t.Fatalf("%+v", before)
	}
	w.syncUpTo(t, 3, inputs.Request{Only: []string{"score"}})
	w.options.Exports = w.options.Exports[:1]
	if _, err := w.runner(t).Retire(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if after := turns(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("%+v\nwant %+v", after, before)
	}
	_, calls := w.syncUpTo(t, 3, inputs.Request{})
	if want := []string{"u0008", "u0009", "u0010"}; !slices.Equal(calls, want) {
		t.Errorf("%v, want %v", calls, want)
	}
	// Who is forgotten is forgotten here too.
	if err := w.runner(t).store.Forget([]string{"u0010"}); err != nil {
		t.Fatal(err)
	}
	if after := turns(); after.Classes["change"].Last != "" {
		t.Errorf("%+v", after)
	}
}

// TestClassOf: what an attribute was delivered before decides, not what a contact had.
func TestClassOf(t *testing.T) {
	var delivered state.Applied
	delivered.At = now()
	of := func(kind engage.Kind) *attribute {
		return &attribute{Attribute: &inputs.Attribute{Attribute: engage.Attribute{Kind: kind}}}
	}
	audience, trait := of(engage.Audience), of(engage.Trait)
	no, yes, null, one, two := bools(false), bools(true), nothing(true), number("1"), number("2")
	for _, test := range []struct {
		a             *attribute
		has, told     value
		before, fresh runs.Class
	}{
		{audience, nothing(false), yes, runs.ClassEntry, runs.ClassFirst},
		{audience, no, yes, runs.ClassEntry, runs.ClassFirst},
		{audience, yes, no, runs.ClassExit, runs.ClassFirst},
		{audience, yes, yes, runs.ClassFirst, runs.ClassFirst},
		{trait, nothing(false), one, runs.ClassChange, runs.ClassFirst},
		{trait, one, two, runs.ClassChange, runs.ClassFirst},
		{trait, one, null, runs.ClassChange, runs.ClassFirst},
		{trait, no, yes, runs.ClassChange, runs.ClassFirst},
		{trait, one, one, runs.ClassFirst, runs.ClassFirst},
	} {
		test.a.Applied = state.Applied{}
		if got := classOf(test.a, test.has, test.told); got != test.fresh {
			t.Errorf("%s, not delivered, %v to %v: %s", test.a.Kind, test.has, test.told, got)
		}
		test.a.Applied = delivered
		if got := classOf(test.a, test.has, test.told); got != test.before {
			t.Errorf("%s, %v to %v: %s", test.a.Kind, test.has, test.told, got)
		}
	}
}

// unfinishedLedger is a state to which no report is written, as when the program is killed
// behind its last commit.
type unfinishedLedger struct{ ledger }

func (unfinishedLedger) Finish(state.Result) error { return errKilled }

// TestTurnsAfterAKill: how far a run came is known without its end.
func TestTurnsAfterAKill(t *testing.T) {
	w := newWorld(t, trait("s.csv", "score"))
	w.write(t, "s.csv", scores(20, 0))
	w.sync(t, inputs.Request{})
	w.write(t, "s.csv", scores(20, 1))
	f := &fakeGleap{after: func(n int) error {
		if n > 5 {
			return errKilled
		}
		return nil
	}}
	r := w.with(t, f)
	r.ledger = unfinishedLedger{r.store}
	if _, err := r.Sync(t.Context(), inputs.Request{}); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	w.write(t, "s.csv", scores(20, 2))
	if _, calls := w.syncUpTo(t, 2, inputs.Request{}); !slices.Equal(calls, []string{"u0005", "u0006"}) {
		t.Errorf("%v", calls)
	}
}

// TestFieldsOfAnEarlierState: where the state does not say which fields were delivered, those
// of the configuration were if an export with fields was.
func TestFieldsOfAnEarlierState(t *testing.T) {
	email := []inputs.Field{{Field: gleap.Email, Columns: []string{"email"}}}
	for name, test := range map[string]struct {
		known     []byte
		hasFields bool
		want      []byte
	}{
		"says so":           {[]byte{byte(gleap.Phone)}, true, []byte{byte(gleap.Phone)}},
		"says none":         {[]byte{}, true, []byte{}},
		"from before":       {nil, true, []byte{byte(gleap.Email)}},
		"without an export": {nil, false, []byte{}},
	} {
		p := &plan{in: &inputs.Inputs{}, basis: &basis{o: Options{Fields: email}, Basis: &inputs.Basis{Overview: state.Overview{
			Fields: test.known, Attributes: []state.Attribute{{Applied: state.Applied{At: now(), HasFields: test.hasFields}}},
		}}}}
		p.recallFields()
		j := p.job()
		got := j.FieldsAfter(p.Overview.Fields, nil)
		if test.known != nil {
			if got != nil {
				t.Errorf("%s: %v is written again", name, got)
			}
			got = test.known
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestRefusedIsComeTo: a contact that is always refused keeps nobody from its turn, also if
// the run is too short to tell that it is for the contact.
func TestRefusedIsComeTo(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.write(t, "a.csv", list("u1", "u2", "u3"))
	var called []string
	for range 3 {
		ctx, cancel := context.WithCancelCause(t.Context())
		f := &fakeGleap{keep: true}
		f.after = func(n int) error {
			if n == 1 {
				return &gleap.RefusedError{Status: 422}
			}
			cancel(errDeadline)
			return errDeadline
		}
		if _, err := w.with(t, f).Sync(ctx, inputs.Request{}); err != nil {
			t.Fatal(err)
		}
		cancel(nil)
		called = append(called, f.calls[0])
	}
	if want := []string{"u1", "u2", "u3"}; !slices.Equal(called, want) {
		t.Errorf("%v", called)
	}
}
