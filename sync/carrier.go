package sync

import (
	"context"
	"errors"

	"gleapsync/gleap"
	"gleapsync/internal/push"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// client calls Gleap: a [*gleap.Client].
type client interface {
	Identify(ctx context.Context, contact *gleap.Contact) error
	Track(ctx context.Context, events [][]byte) error
	Delete(ctx context.Context, userID string) (deleted bool, err error)
	Counts() gleap.Counts
	Seen() gleap.History
	Resume(gleap.History)
}

// ledger is what a run writes to: a [*state.Store].
type ledger interface {
	Begin(attributes []state.Attribute, epoch uint64, pace []byte) error
	SetTold(gleap, booleans []byte) error
	Commit(state.Delivery) (due []state.Event, err error)
	CheckLock() error
	AbsorbChanges([]state.Absorbed) error
	AbsorbEvents(state.NewEvents) error
	Finish(state.Result) error
}

// ErrInterrupted is the cause to cancel a run's context with when a signal came.
var ErrInterrupted = errors.New("interrupted")

// errDeadline is the cause with which a run's context ends at its deadline.
var errDeadline = errors.New("the deadline came before the plan was complete: nothing was sent, raise sync.deadline")

// carrier carries plans out: it calls Gleap, and writes to the state while it has the lock.
type carrier struct {
	planner
	ledger  ledger // the store
	client  client
	resumed bool // the client knows what Gleap has seen of earlier runs
}

// begin takes the lock for a command, and tells others that it goes on until end is called. The
// report says which run of the command it is.
func (c *carrier) begin(command string) (report runs.Report, end func(), err error) {
	release, err := c.store.Lock()
	if err != nil {
		return report, nil, err
	}
	c.resumed = false
	c.reportLost()
	report = runs.Report{Run: runs.NextID(c.store), Command: command, Project: c.o.Project, Started: c.now()}
	over := announce(c.store, c.meter, report.Run, command, report.Started)
	return report, func() { over(); release() }, nil
}

// reportLost stores a report of the run before if it was lost.
func (c *carrier) reportLost() {
	switch lost, err := runs.KeepLost(c.store, c.o.Project); {
	case err != nil: // what is wrong with the state the plan will say
		c.log.Warn("the report of a run that was lost is not stored", "reason", err.Error())
	case lost != nil:
		c.log.Warn("the run before was lost", "run", lost.Run, "command", lost.Command, "contacts", lost.Contacts.Sent, "calls", lost.Calls.Identify)
	}
}

// sends reports whether a run makes calls.
func sends(c client, report *runs.Report) bool {
	return c != nil && report.Contacts.Planned+report.Events.Planned > 0
}

// resume tells the client, once in a run, what Gleap has seen of earlier ones.
func (c *carrier) resume(pace []byte) error {
	if c.resumed || len(pace) == 0 {
		return nil
	}
	c.resumed = true
	return push.Resume(c.client, pace, push.Unaccounted(c.o.Rate, c.o.Window, c.o.Concurrency))
}
