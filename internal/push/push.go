package push

import (
	"context"
	"log/slog"
	"runtime/debug"
	"time"

	"gleapsync/gleap"
	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

const (
	// commitEvery bounds what is sent twice after a crash.
	commitEvery = 500 * time.Millisecond
	// commitAt bounds the memory for what is not committed yet: so many contacts, or values of theirs.
	commitAt, commitValues = 20_000, 200_000
)

// client calls Gleap: a [*gleap.Client].
type client interface {
	Identify(ctx context.Context, contact *gleap.Contact) error
	Track(ctx context.Context, events [][]byte) error
	pacer
}

// ledger is what a push writes to: a [*state.Store].
type ledger interface {
	Commit(state.Delivery) (due []state.Event, err error)
	CheckLock() error
}

// Options say how plans are carried out.
type Options struct {
	Client      client
	Ledger      ledger
	Store       *state.Store // the events that are due are read from it
	Deliveries  deliveryLog  // of the calls; nil: none is kept
	Replica     replica      // of the state; nil: there is none
	Slice       int          // contacts that may be sent to before it is kept again; 0: as many as can be
	Concurrency int          // calls at a time
	Memory      int64        // that the process may take, for its collector to wait; 0: other runs go on in it
	Events      Events
	Log         *slog.Logger
	Meter       *runs.Meter
	Now         func() time.Time
}

// Events says how events are sent, and which names those have that changes make.
type Events struct {
	Batch                     int // in one request at most
	Entered, Exited, Computed string
}

// Plan is what is to be carried out.
type Plan struct {
	Run           string // the id of the run
	File          *planfile.File
	Attributes    []Attribute // by id
	Epoch         uint64      // of the resync in which the plan's contacts take part
	Whole         bool        // an entry is all that is wanted of its contact
	Events        int         // that are to be sent, in all
	Before        state.Turns // what the run before left
	TakesTurns    bool        // the next run goes on behind this one
	WasParked     func(userID string) bool
	WasUnanswered func(userID []byte) bool
}

// Attribute is what the push has to know of one.
type Attribute struct {
	Key        string
	IsAudience bool
}

// Result is what became of a plan, as far as the state has it. The rest is in the report.
type Result struct {
	Delivered bool                        // every call of the contacts was acknowledged, or parked
	Turns     *state.Turns                // what the state has for the next run; nil: as before
	Told      []int                       // by attribute id: contacts that were told a value, or will not be since Gleap refused
	Fields    [gleap.LastPageView + 1]int // the same of contact fields
}

// told counts what a contact was told, or will not be.
func (r *Result) told(attributes []state.Change) {
	for _, c := range attributes {
		r.Told[c.ID]++
	}
}

// Run sends the plan's entries, in their order, and commits what Gleap says.
//
// Cancelling ctx ends it early: the calls on their way are finished, and what Gleap
// acknowledged is committed.
func Run(ctx context.Context, o Options, plan Plan, report *runs.Report) (Result, error) {
	defer collectLess(o.Memory)()
	sending, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	result := Result{Told: make([]int, len(plan.Attributes))}
	answers := make(chan answer, 4096) // what comes in while a batch is committed
	l := newLoop(sending, &o, &plan, report, &result)
	ended := make(chan error)
	go func() { ended <- l.run(answers, stop) }()
	s := &sender{o: &o, plan: &plan, begun: l.feeder.begun, answers: answers}
	var err error
	if plan.Events == 0 {
		err = s.run(sending, o.Concurrency)
		result.Delivered = err == nil
	} else {
		result.Delivered, err = sendBoth(sending, s, l.outbox.ready)
	}
	close(answers)
	if stopped := <-ended; stopped != nil {
		result.Delivered = false
		return result, stopped // it is why the sending ended
	}
	return result, err
}

// sendBoth sends the plan's entries, and the events beside them. What ends the sending of
// events does not end that of the entries, and is returned after it.
func sendBoth(ctx context.Context, s *sender, ready <-chan []state.Event) (delivered bool, err error) {
	tracking, stop := context.WithCancel(ctx)
	defer stop()
	identified := make(chan struct{})
	t := &tracker{o: s.o, plan: s.plan, answers: s.answers, ready: ready, identified: identified}
	workers := max(1, s.o.Concurrency-1)
	tracked := make(chan error, 1)
	go func() {
		if s.o.Concurrency == 1 { // else there would be two calls at a time
			select {
			case <-identified:
			case <-tracking.Done():
			}
		}
		tracked <- t.run(tracking)
	}()
	err = s.run(ctx, workers)
	if err == nil {
		err = t.settle(nil) // now all events of the plan's contacts are due
	}
	if err != nil {
		stop()
		<-tracked
		return false, err
	}
	close(identified)
	return true, <-tracked
}

// collectLess lets garbage pile up for longer, within the memory that planning had: what
// lives is little now, and the garbage of the calls and of the commits is much. undo ends that.
// The collector is the process's: nothing changes while another run may plan or push in it.
func collectLess(memory int64) (undo func()) {
	if memory == 0 {
		return func() {}
	}
	percent := debug.SetGCPercent(300)
	const least = 64 << 20 // below that the collector would never rest
	limit := debug.SetMemoryLimit(min(debug.SetMemoryLimit(-1), max(least, memory)))
	return func() {
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
	}
}
