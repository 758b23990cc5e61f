package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strings"

	"gleapsync/internal/config"
	"gleapsync/internal/console"
	"gleapsync/internal/inspect"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

type inspectCmd struct {
	Summary    inspectSummaryCmd    `cmd:"" default:"1" help:"What the state holds, in numbers."`
	Audiences  inspectAudiencesCmd  `cmd:"" help:"The audiences and traits that Gleap knows."`
	Audience   inspectAudienceCmd   `cmd:"" help:"One audience or trait, and who is in it."`
	Contact    inspectContactCmd    `cmd:"" help:"What Gleap acknowledged of a contact, what the exports say, and what the next run would do."`
	Forgotten  inspectForgottenCmd  `cmd:"" help:"The contacts that were forgotten, and when."`
	Runs       inspectRunsCmd       `cmd:"" help:"What happened: the last runs, or one of them."`
	Deliveries inspectDeliveriesCmd `cmd:"" help:"The calls that Gleap acknowledged, one by one."`
	Parked     inspectParkedCmd     `cmd:"" help:"The contacts whose calls Gleap refused."`
	Events     inspectEventsCmd     `cmd:"" help:"The events that are due, and those that Gleap refused."`
}

// view opens the state to look into it.
func (a *App) view() (*inspect.View, error) {
	cfg, err := a.lookedAt(context.Background())
	if err != nil {
		return nil, err
	}
	return viewOf(cfg)
}

func viewOf(cfg *config.Config) (*inspect.View, error) {
	store, err := state.Open(cfg.State)
	if err != nil {
		return nil, err
	}
	return inspect.New(cfg.Sync, store), nil
}

// answer shows what a question to the state is answered with.
func answer[T any](a *App, ask func(*inspect.View) (T, error), show func(console.Out, T)) error {
	v, err := a.view()
	if err != nil {
		return err
	}
	told, err := ask(v)
	if err != nil {
		return err
	}
	return a.print(told, func(w io.Writer) { show(a.screen(w), told) })
}

type inspectSummaryCmd struct{}

// Run shows what the state holds.
func (c *inspectSummaryCmd) Run(a *App) error {
	return answer(a, func(v *inspect.View) (inspect.Summary, error) {
		s, err := v.Summary()
		s.Replica = a.replica
		return s, err
	}, console.Summary)
}

type inspectAudiencesCmd struct {
	Sort string `help:"Order of the table: key, or members (the most first); that of their first runs if left out." enum:",key,members" default:"" placeholder:"ORDER"`
}

// Run lists the audiences and traits.
func (c *inspectAudiencesCmd) Run(a *App) error {
	return answer(a, (*inspect.View).Attributes, func(w console.Out, all []inspect.Attribute) {
		switch c.Sort {
		case console.SortKey:
			slices.SortFunc(all, func(a, b inspect.Attribute) int { return strings.Compare(a.Key, b.Key) })
		case console.SortMembers:
			slices.SortStableFunc(all, func(a, b inspect.Attribute) int { return cmp.Compare(b.Members, a.Members) })
		}
		console.Attributes(w, all)
	})
}

type inspectRunsCmd struct {
	shownFlags
	ID    string `arg:"" optional:"" help:"Run id, or its beginning, or last; without one the last runs."`
	Limit int    `help:"How many runs, 0 for all." default:"20"`
}

// Run lists the last runs, or shows one.
func (c *inspectRunsCmd) Run(a *App) error {
	limit := c.Limit
	if limit == 0 {
		limit = math.MaxInt
	}
	switch {
	case limit < 0:
		return errLimit
	case c.ID == "" && c.shown() != (console.Shown{}):
		return &UsageError{errors.New("--all, --held and --sort are for one run: name its id, or last")}
	case c.ID != "":
		if err := answer(a, func(v *inspect.View) (runs.Report, error) { return v.Find(c.ID) }, func(w console.Out, r runs.Report) { console.Sync(w, r, c.shown()) }); err != nil || c.ID != "last" {
			return err
		}
		return a.tellRunning("what stands here is the run before")
	case a.asJSON():
		return answer(a, func(v *inspect.View) ([]json.RawMessage, error) {
			reports, err := v.Reports(limit)
			return append([]json.RawMessage{}, reports...), err
		}, nil)
	}
	if err := answer(a, func(v *inspect.View) ([]runs.Summary, error) { return v.Runs(limit) }, console.Runs); err != nil {
		return err
	}
	return a.tellRunning("it is not among these yet")
}

// tellRunning says, except in JSON, that a run goes on if one does, and what that means for what
// was asked.
func (a *App) tellRunning(means string) error {
	if a.asJSON() {
		return nil
	}
	v, err := a.view()
	if err != nil {
		return err
	}
	if h := v.Running(); h != nil {
		console.GoesOn(a.screen(a.out), h, means)
	}
	return nil
}

type inspectParkedCmd struct {
	IDs bool `name:"ids" help:"List the contacts."`
}

// Run shows why contacts are parked.
func (c *inspectParkedCmd) Run(a *App) error {
	return answer(a, (*inspect.View).Parked, func(w console.Out, parked []inspect.ParkedContact) { console.Parked(w, parked, c.IDs) })
}

type inspectEventsCmd struct {
	IDs bool `name:"ids" help:"List the parked events, each with its contact."`
}

// Run shows the events that are due, and those that are parked.
func (c *inspectEventsCmd) Run(a *App) error {
	return answer(a, (*inspect.View).Events, func(w console.Out, d inspect.Events) { console.Events(w, d, c.IDs) })
}
