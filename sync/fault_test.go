package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	stdsync "sync"
	"testing"

	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/internal/inputs"
	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

var errFault = errors.New("fault")

// faults lets one operation fail: the n-th of a kind, before it is done or after.
type faults struct {
	mu    stdsync.Mutex
	kind  string // "": any
	left  int
	after bool
	hit   string // the operation that failed
}

// do runs an operation, or lets it fail.
func (f *faults) do(name string, operation func() error) error {
	f.mu.Lock()
	fails := false
	if f.kind == "" || f.kind == name {
		fails = f.left == 0
		f.left--
	}
	if fails {
		f.hit = name
	}
	f.mu.Unlock()
	if fails && !f.after {
		return errFault
	}
	if err := operation(); err != nil || !fails {
		return err
	}
	return errFault
}

// faultyClient loses calls, or the answers to them. A real client would go on trying
// until it gives up.
type faultyClient struct {
	client
	f *faults
}

func (c faultyClient) Identify(ctx context.Context, contact *gleap.Contact) error {
	err := c.f.do("call", func() error { return c.client.Identify(ctx, contact) })
	if errors.Is(err, errFault) {
		return &gleap.UnreachableError{Last: "fault"}
	}
	return err
}

func (c faultyClient) Track(ctx context.Context, events [][]byte) error {
	err := c.f.do("track", func() error { return c.client.Track(ctx, events) })
	if errors.Is(err, errFault) {
		return &gleap.UnreachableError{Last: "fault"}
	}
	return err
}

// faultyLedger fails to write to the state, or writes and then says that it failed, as
// when the disk cannot be synced.
type faultyLedger struct {
	ledger
	f *faults
}

func (l faultyLedger) SetTold(gleap, booleans []byte) error {
	return l.f.do("told", func() error { return l.ledger.SetTold(gleap, booleans) })
}

func (l faultyLedger) Begin(attributes []state.Attribute, epoch uint64, pace []byte) error {
	return l.f.do("begin", func() error { return l.ledger.Begin(attributes, epoch, pace) })
}

func (l faultyLedger) Commit(d state.Delivery) (due []state.Event, err error) {
	err = l.f.do("commit", func() error { due, err = l.ledger.Commit(d); return err })
	return due, err
}

func (l faultyLedger) AbsorbChanges(said []state.Absorbed) error {
	return l.f.do("absorb", func() error { return l.ledger.AbsorbChanges(said) })
}

func (l faultyLedger) AbsorbEvents(t state.NewEvents) error {
	return l.f.do("store", func() error { return l.ledger.AbsorbEvents(t) })
}

func (l faultyLedger) Finish(r state.Result) error {
	return l.f.do("finish", func() error { return l.ledger.Finish(r) })
}

// faultyFile fails to write or read. After a write that "failed after it was done" only a
// part of it is there.
type faultyFile struct {
	extsort.TempFile
	f *faults
}

func (t faultyFile) Write(b []byte) (n int, err error) {
	err = t.f.do("write", func() error { n, err = t.TempFile.Write(b[:len(b)/2]); return err })
	if err == nil {
		var more int
		more, err = t.TempFile.Write(b[len(b)/2:])
		n += more
	}
	return n, err
}

func (t faultyFile) ReadAt(b []byte, at int64) (n int, err error) {
	fault := t.f.do("read", func() error { n, err = t.TempFile.ReadAt(b, at); return nil })
	if fault != nil {
		return 0, fault
	}
	return n, err
}

// sides returns whether operations fail after they were done: both, and one at random if the
// tests have few rounds.
func sides() []bool {
	both := []bool{false, true}
	if rounds.Full() {
		return both
	}
	n := rand.IntN(2)
	return both[n : n+1]
}

// TestFaults lets the n-th call, commit, or work on a temporary file fail, for each of
// these kinds and n = 0, 1, 2 … until nothing fails any more: in a first sync, in one with changes, in a full
// resync. After each the promises hold, and the next run makes everything right. Not at full
// length it leaves out some n at random.
func TestFaults(t *testing.T) {
	t.Parallel() // it waits for the disk
	days := []map[string]string{
		{"a.csv": list("u1", "u2", "u3", "u4", "u5", "u6"), "t.csv": longValues("gold", "u1", "u2", "u3", "u4", "u5", "u7")},
		{"a.csv": list("u3", "u4", "u5", "u6", "u8"), "t.csv": longValues("silver", "u1", "u2", "u3", "u4", "u7", "u9")},
	}
	for name, scenario := range map[string]struct {
		days    int // before the one with the fault
		request inputs.Request
	}{"first sync": {0, inputs.Request{}}, "changes": {1, inputs.Request{}}, "full resync": {1, inputs.Request{Full: true}}} {
		for _, after := range sides() {
			t.Run(fmt.Sprintf("%s, after %t", name, after), func(t *testing.T) {
				t.Parallel()
				want := want(t, days[:scenario.days+1])
				failed := map[string]int{}
				// How many operations of a kind there are differs from run to run: a slow one
				// has more commits.
				for _, kind := range []string{"call", "begin", "commit", "finish", "create", "write", "read"} {
					for n, hit := 0, kind; hit != "" && !t.Failed(); n += 1 + rand.IntN(rounds.Of(32, 1)) {
						t.Run(fmt.Sprint(kind, " ", n), func(t *testing.T) {
							w := newWorld(t, audience("a.csv", "a"), trait("t.csv", "t"))
							w.options.Memory = 1
							day := func(i int) {
								for file, text := range days[i] {
									w.write(t, file, text)
								}
							}
							for i := range scenario.days {
								day(i)
								w.sync(t, inputs.Request{})
							}
							day(scenario.days)
							if hit = w.syncWith(t, &faults{kind: kind, left: n, after: after}, scenario.request); hit != "" {
								failed[kind]++
							}
							w.checkState(t, want)
							before := w.gleap.Counts().Identify
							report := w.sync(t, inputs.Request{})
							if calls := w.gleap.Counts().Identify - before; report.Outcome != runs.Complete || report.Calls.Identify != calls {
								t.Errorf("the next run: %s, %+v, want %s with %d calls", report.Outcome, report.Calls, runs.Complete, calls)
							}
							w.checkState(t, w.contacts())
							if got := w.contacts(); !maps.Equal(got, want) {
								t.Error("Gleap has not what it should")
							}
							if report = w.sync(t, inputs.Request{}); report.Contacts.Planned != 0 || report.Mode != runs.Incremental {
								t.Errorf("the third run plans %+v, want nothing", report)
							}
						})
					}
					if failed[kind] == 0 {
						t.Errorf("no %s failed", kind)
					}
				}
				t.Logf("%v", failed)
			})
		}
	}
}

// TestFailedPlanUnparksNobody: a contact of whom nothing is wanted any more is unparked
// once that is known of all contacts, and not if the merge breaks off behind it.
func TestFailedPlanUnparksNobody(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"), trait("t.csv", "t"))
	w.options.Memory = 1
	w.write(t, "a.csv", list("u0"))
	w.write(t, "t.csv", longValues("gold", "u1", "u2", "u3"))
	refuse := &fakeGleap{after: func(n int) error {
		if n == 1 {
			return &gleap.RefusedError{Status: 422}
		}
		return nil
	}}
	if report, err := w.with(t, refuse).Sync(t.Context(), inputs.Request{}); err != nil || report.Contacts.Parked != 1 {
		t.Fatalf("%+v, %v", report.Contacts, err)
	}
	w.options.Exports[0].AllowEmpty = true
	w.write(t, "a.csv", list())
	reads := 0
	for n := 0; ; n++ {
		hit := w.syncWith(t, &faults{left: n}, inputs.Request{})
		parked, err := w.runner(t).store.Parked()
		if err != nil {
			t.Fatal(err)
		}
		if hit == "begin" { // the plan was complete
			if len(parked) != 0 || reads == 0 {
				t.Errorf("%d parked after %d broken reads", len(parked), reads)
			}
			return
		}
		if hit == "read" {
			reads++
		}
		if len(parked) != 1 {
			t.Fatalf("%s %d: unparked", hit, n)
		}
	}
}

// longValues gives all users a value that is so long that the plan does not stay in memory.
func longValues(value string, userIDs ...string) string {
	text := "user_id,value\n"
	for _, id := range userIDs {
		text += id + "," + strings.Repeat(value, 15_000) + "\n"
	}
	return text
}

// want returns what Gleap is to have after days.
func want(t *testing.T, days []map[string]string) map[string]string {
	w := newWorld(t, audience("a.csv", "a"), trait("t.csv", "t"))
	for _, day := range days {
		for file, text := range day {
			w.write(t, file, text)
		}
		w.sync(t, inputs.Request{})
	}
	return w.contacts()
}

// syncWith runs a sync with a fault and returns the operation that failed.
func (w *world) syncWith(t *testing.T, f *faults, request inputs.Request) string {
	r := w.runner(t)
	r.o.Concurrency = 1
	r.client, r.ledger = faultyClient{r.client, f}, faultyLedger{r.ledger, f}
	create := r.temp
	r.temp = func() (extsort.TempFile, error) {
		var file extsort.TempFile
		err := f.do("create", func() (err error) { file, err = create(); return err })
		if err != nil {
			return nil, err
		}
		return faultyFile{file, f}, nil
	}
	report, err := r.Sync(context.Background(), request)
	if (err == nil) != (f.hit == "") || err != nil && report.Outcome != runs.Failed {
		t.Errorf("%s: %s, %v", f.hit, report.Outcome, err)
	}
	if left, _ := filepath.Glob(filepath.Join(w.dir, "*.tmp")); len(left) > 0 {
		t.Errorf("%s: temporary files are left: %v", f.hit, left)
	}
	return f.hit
}

// checkState checks that the state is sound, and that Gleap has what the state claims or
// already what is wanted.
func (w *world) checkState(t *testing.T, want map[string]string) {
	t.Helper()
	store := w.runner(t).store
	if _, err := os.Stat(store.Path()); err != nil {
		return // nothing was written
	}
	if _, err := state.Verify(store); err != nil {
		t.Error(err)
	}
	o, err := store.Overview()
	if err != nil {
		t.Fatal(err)
	}
	records := store.Records()
	for records.Next() {
		var record state.Record
		if err := record.Decode(records.Record()); err != nil {
			t.Fatal(err)
		}
		contact, _ := w.gleap.Contact(string(records.UserID()))
		var wanted map[string]any
		_ = json.Unmarshal([]byte(want[string(records.UserID())]), &wanted)
		for _, a := range o.Attributes {
			known := record.Find(a.ID).Value
			if known.Kind() == attr.None {
				continue
			}
			has, _ := json.Marshal(contact.Attributes[a.Key])
			if string(known.AppendJSON(nil)) != string(has) && contact.Attributes[a.Key] != wanted[a.Key] {
				t.Errorf("the state claims %s = %.20s, Gleap has %.20s", a.Key, known.AppendJSON(nil), has)
			}
		}
	}
	if records.Err() != nil {
		t.Error(records.Err())
	}
}
