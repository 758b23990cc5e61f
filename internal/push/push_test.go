package push

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime/metrics"
	"slices"
	stdsync "sync"
	"testing"
	"time"

	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// fakeGleap answers calls as it is told, and knows what the state had announced by then.
type fakeGleap struct {
	mu          stdsync.Mutex
	store       *state.Store
	answer      func(n int) error // to the n-th call
	n           int
	unannounced []string
}

func (f *fakeGleap) Identify(ctx context.Context, c *gleap.Contact) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	f.n++
	o, err := f.store.Overview()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(o.Unanswered, func(u state.Unanswered) bool { return string(u.UserID) == string(c.UserID) }) {
		f.unannounced = append(f.unannounced, string(c.UserID))
	}
	if f.answer != nil {
		return f.answer(f.n)
	}
	return nil
}

func (f *fakeGleap) Track(context.Context, [][]byte) error { return nil }
func (f *fakeGleap) Seen() gleap.History                   { return gleap.History{} }

// newPush returns the options and the plan of a push to f, of so many contacts that get one
// attribute, and the report that goes with it.
func newPush(t testing.TB, contacts int, f *fakeGleap) (Options, Plan, *runs.Report) {
	store, err := state.Open(state.Options{Path: filepath.Join(t.TempDir(), "state.db"), Project: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Begin([]state.Attribute{{Key: "vip", Kind: "audience", Name: "VIP"}}, 1, nil); err != nil {
		t.Fatal(err)
	}
	f.store = store
	o := Options{
		Client: f, Ledger: store, Store: store, Concurrency: 3, Events: Events{Batch: 10},
		Log: slog.New(slog.DiscardHandler), Meter: runs.NewMeter(nil), Now: time.Now,
	}
	plan := Plan{
		Run: "run", File: planOf(t, contacts, attr.OfBool(true)), Attributes: []Attribute{{"vip", true}}, Epoch: 1, Whole: true, TakesTurns: true,
		WasParked: func(string) bool { return false }, WasUnanswered: func([]byte) bool { return false },
	}
	report := &runs.Report{Contacts: runs.ContactCounts{Planned: contacts, Remaining: contacts}}
	for class, planned := range plan.File.Counts() {
		report.Classes = append(report.Classes, runs.ClassReport{Class: runs.Class(class), Left: planned.Contacts})
	}
	return o, plan, report
}

// records counts the contacts that the state knows.
func records(t *testing.T, store *state.Store) (n int) {
	all := store.Records()
	for all.Next() {
		n++
	}
	if err := all.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestCollector: the collector of a process waits while a push goes on in it alone, and not after. Where
// there is another run, that one's memory is not the push's to say.
func TestCollector(t *testing.T) {
	collector := func() [2]uint64 {
		all := []metrics.Sample{{Name: "/gc/gogc:percent"}, {Name: "/gc/gomemlimit:bytes"}}
		metrics.Read(all)
		return [2]uint64{all[0].Value.Uint64(), all[1].Value.Uint64()}
	}
	usual := collector()
	for memory, want := range map[int64][2]uint64{0: usual, 1 << 20: {300, 64 << 20}, 1 << 30: {300, 1 << 30}} {
		f := &fakeGleap{}
		f.answer = func(int) error {
			if got := collector(); got != want {
				t.Errorf("memory of %d: %v, want %v", memory, got, want)
			}
			return nil
		}
		o, plan, report := newPush(t, 3, f)
		o.Memory = memory
		if _, err := Run(t.Context(), o, plan, report); err != nil {
			t.Error(err)
		}
		if got := collector(); got != usual {
			t.Errorf("memory of %d: %v after it, want %v", memory, got, usual)
		}
	}
}

// TestRun: no call is made that the state did not have announced, all are committed and
// counted, and nothing stays unanswered.
func TestRun(t *testing.T) {
	const contacts = 500
	f := &fakeGleap{}
	o, plan, report := newPush(t, contacts, f)
	result, err := Run(t.Context(), o, plan, report)
	if err != nil || !result.Delivered || len(result.Turns.Classes) != 0 || result.Told[0] != contacts {
		t.Errorf("%+v, %v", result, err)
	}
	if f.n != contacts || len(f.unannounced) > 0 {
		t.Errorf("%d calls, of these unannounced: %v", f.n, f.unannounced)
	}
	if want := (runs.ContactCounts{Planned: contacts, Sent: contacts}); report.Contacts != want || report.Calls.Identify != contacts || report.Classes[runs.ClassFirst].Left != 0 {
		t.Errorf("%+v, %+v", report.Contacts, report.Calls)
	}
	if n := records(t, o.Store); n != contacts {
		t.Errorf("the state has %d contacts", n)
	}
	if overview, err := o.Store.Overview(); err != nil || len(overview.Unanswered) > 0 {
		t.Errorf("unanswered: %+v, %v", overview.Unanswered, err)
	}
}

// TestRunEndsEarly: whatever ends a push at any call, what Gleap took is committed, who may
// have what is unanswered, and who has nothing for sure is not.
func TestRunEndsEarly(t *testing.T) {
	const contacts = 60
	for at := 1; at <= contacts; at += 7 {
		f := &fakeGleap{answer: func(n int) error {
			if n == at {
				return &gleap.UnreachableError{}
			}
			return nil
		}}
		o, plan, report := newPush(t, contacts, f)
		o.Concurrency = 1
		result, err := Run(t.Context(), o, plan, report)
		if !errors.As(err, new(*gleap.UnreachableError)) || result.Delivered || result.Told[0] != at-1 || report.Contacts.Sent != at-1 {
			t.Errorf("call %d: %+v, %+v, %v", at, result, report.Contacts, err)
		}
		overview, err := o.Store.Overview()
		if err != nil || len(overview.Unanswered) != 1 || string(overview.Unanswered[0].UserID) != fmt.Sprintf("u%06d", at-1) {
			t.Errorf("call %d: unanswered are %+v, %v", at, overview.Unanswered, err)
		}
		last := ""
		if at > 1 {
			last = fmt.Sprintf("u%06d", at-2)
		}
		if want := (state.Turn{Last: last, Since: "run"}); result.Turns.Classes["first"] != want {
			t.Errorf("call %d: it came to %+v, want %+v", at, result.Turns, want)
		}
	}
}

// failingLedger fails with some commit, and all behind it.
type failingLedger struct {
	*state.Store
	left int
}

var errFault = errors.New("fault")

func (l *failingLedger) Commit(d state.Delivery) ([]state.Event, error) {
	if l.left--; l.left < 0 {
		return nil, errFault
	}
	return l.Store.Commit(d)
}

// TestNothingIsSentThatIsNotAnnounced: where the state cannot be written, the sending ends with
// what it has.
func TestNothingIsSentThatIsNotAnnounced(t *testing.T) {
	for commits := range 4 {
		f := &fakeGleap{}
		o, plan, report := newPush(t, 500, f)
		o.Ledger = &failingLedger{o.Store, commits}
		result, err := Run(t.Context(), o, plan, report)
		if !errors.Is(err, errFault) || result.Delivered || len(f.unannounced) > 0 || commits == 0 && f.n > 0 {
			t.Errorf("%d commits: %+v, %v; %d calls, unannounced: %v", commits, result, err, f.n, f.unannounced)
		}
		if n := records(t, o.Store); n != report.Contacts.Sent {
			t.Errorf("%d commits: the state has %d contacts, the report %d", commits, n, report.Contacts.Sent)
		}
	}
}

// TestStopCommitsEvents: a run that stops since Gleap refuses one contact after the other
// still commits the events that Gleap took.
func TestStopCommitsEvents(t *testing.T) {
	o, plan, report := newPush(t, 0, &fakeGleap{})
	event := state.Event{UserID: []byte("z"), At: 1, ID: 1, JSON: []byte(`{}`)}
	if err := o.Store.AbsorbEvents(state.NewEvents{Events: []state.Event{event}}); err != nil {
		t.Fatal(err)
	}
	answers, committed, ended := make(chan answer), make(chan error, 1), make(chan error)
	l := newLoop(t.Context(), &o, &plan, report, &Result{})
	stopped, stop := context.WithCancelCause(t.Context())
	go func() { ended <- l.run(answers, stop) }()
	for i := range sameRefusals {
		answers <- answer{entry: &planfile.Entry{}, refused: refusalOf(i, 422)}
	}
	<-stopped.Done()
	answers <- answer{events: &tracked{sent: []state.Event{event}}, committed: committed}
	if err := <-committed; err != nil {
		t.Error(err)
	}
	close(answers)
	if err := <-ended; !errors.As(err, new(*gleap.StopError)) {
		t.Error(err)
	}
	overview, err := o.Store.Overview()
	if err != nil || overview.DueEvents != 0 || overview.Parked != sameRefusals || report.Events.Sent != 1 {
		t.Errorf("%+v, %+v, %v", overview, report.Events, err)
	}
}

// BenchmarkRun is a push of 10,000 contacts to a Gleap that answers at once.
func BenchmarkRun(b *testing.B) {
	const contacts = 10_000
	for range b.N {
		b.StopTimer()
		o, plan, report := newPush(b, contacts, &fakeGleap{})
		o.Client = instant{}
		b.StartTimer()
		if _, err := Run(b.Context(), o, plan, report); err != nil || report.Contacts.Sent != contacts {
			b.Fatalf("%+v, %v", report.Contacts, err)
		}
	}
	b.ReportMetric(float64(contacts*b.N)/b.Elapsed().Seconds(), "contacts/s")
}

// instant takes all calls.
type instant struct{}

func (instant) Identify(context.Context, *gleap.Contact) error { return nil }
func (instant) Track(context.Context, [][]byte) error          { return nil }
func (instant) Seen() gleap.History                            { return gleap.History{} }
