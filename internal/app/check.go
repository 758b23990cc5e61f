package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/config"
	"gleapsync/internal/console"
	"gleapsync/internal/human"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
	"gleapsync/internal/values"
	"gleapsync/state"
	"gleapsync/sync"
)

type checkCmd struct{}

// Run tries whether a sync would find all that it needs.
func (c *checkCmd) Run(ctx context.Context, a *App) error {
	return a.each(ctx, "", console.OfCheck, c.one)
}

// one tries the configuration, the state, the token and the exports, one after the other,
// and sends nothing but the question whether the token is good. It is judged as a plan is
// which looks at everything.
func (c *checkCmd) one(ctx context.Context, a *App) (runs.Report, error) {
	var checks []check
	var report runs.Report
	failed := false
	note := func(name string, err error, detail string) {
		if err != nil {
			detail, failed = err.Error(), true
		}
		checks = append(checks, check{Name: name, OK: err == nil, Detail: detail})
	}
	cfg, err := a.config()
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range several.Unwrap() {
			note("configuration", one, "")
		}
	} else {
		note("configuration", err, a.flags.Config)
	}
	if err == nil && cfg.Zone != time.Local { // a wrong one is as good a zone
		next := cfg.Schedule.Next(time.Now())
		note("schedule", nil, fmt.Sprintf("the next run of gleapsync serve is at %s %s, %s", next.In(cfg.Zone).Format("2006-01-02 15:04"), cfg.Zone, human.Until(next, time.Now())))
	}
	if err == nil {
		if cfg.Replica != nil {
			err := a.look(ctx, cfg)
			if err == nil && a.replica.Problem != "" {
				err = errors.New(a.replica.Problem)
			}
			note("replica", err, a.replica.Address)
		}
		store, err := state.Open(cfg.State)
		if err != nil {
			store = nil
		}
		detail, tokenErr := c.token(ctx, a, cfg, store)
		note("token", tokenErr, detail)
		note("state", cmp.Or(err, stateWritable(cfg.State.Path)), cfg.State.Path)
		for _, place := range []struct{ key, folder string }{{"log.path", cfg.Sync.Deliveries.Dir}, {"sync.temp_dir", cfg.Sync.TempDir}} {
			if err := folderWritable(place.folder); err != nil && place.folder != filepath.Dir(cfg.State.Path) {
				note(place.key, err, "")
			}
		}
		if err == nil {
			if err := checkGleap(cfg, store, false); err != nil {
				note("state", err, "")
			}
			if err = checkReserved(cfg, store); err != nil {
				note("keys", err, "")
			}
		}
		if err == nil {
			report, err = sync.New(cfg.Sync, store, nil, slog.New(slog.DiscardHandler), a.watch()).Plan(ctx, inputs.Request{Full: true})
			if err != nil {
				note("exports", err, "")
			}
			checks = append(checks, exportChecks(report)...)
			for _, e := range cfg.Sync.Exports {
				if p := e.Place(store.ID()); p != nil {
					note("delta", p.Try(ctx), fmt.Sprintf("%s: it can keep what was applied in the schema %s", e.Origin(), e.Delta))
				}
			}
			for _, text := range brokenRows(report) {
				note("note", nil, text)
			}
			for _, table := range report.Empty {
				note("table", fmt.Errorf("%s has no rows: is it the right one, and did Segment fill it?", table), "")
			}
			if keys := withoutMembers(report); len(keys) > 0 {
				note("note", nil, "without members: "+runs.FirstOf(keys))
			}
			if kept := report.KeptMembers(); kept != "" {
				note("note", nil, kept)
			}
			for _, column := range report.FieldsMissing {
				note("contact", fmt.Errorf("no export has %s, which [contact] names: look at its spelling, or take it out", column), "")
			}
			for _, field := range slices.Sorted(maps.Keys(report.FieldsDiffer)) {
				note("contact", nil, fmt.Sprintf("%s: exports say different things of %d contacts; that of the first in the configuration counts", field, report.FieldsDiffer[field]))
			}
			for _, text := range slices.Concat(report.Notes, report.Unused) {
				note("note", nil, text)
			}
		}
	}
	if ctx.Err() != nil {
		return report, context.Cause(ctx)
	}
	if failed || report.Unreadable() {
		err = errors.New("the check failed")
	}
	project := ""
	if cfg != nil {
		project = cfg.Sync.Project
	}
	return report, judge(report, errors.Join(err, a.print(struct {
		Project string  `json:"project,omitempty"`
		Checks  []check `json:"checks"`
	}{project, checks}, func(w io.Writer) { showChecks(w, checks) })))
}

// check is one thing that was tried.
type check struct {
	Name   string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	*checkedExport
}

// checkedExport is what a check of an audience or trait found.
type checkedExport struct {
	Key           string      `json:"key"`
	Source        string      `json:"source"`
	Type          values.Type `json:"type,omitempty"`
	Rows          int         `json:"rows"`
	Members       int         `json:"members"`
	Invalid       int         `json:"invalid"`
	WithoutUserID int         `json:"without_user_id"`
	said          string      // why it is held, or what somebody should know
}

// showChecks shows what was tried, the failures last and counted.
func showChecks(w io.Writer, checks []check) {
	lines, tried, failed, held := bySource(checks), 0, 0, 0
	slices.SortStableFunc(lines, func(a, b check) int { return cmp.Compare(failures(a), failures(b)) })
	for _, c := range checks {
		if c.checkedExport != nil {
			held += failures(c)
		}
	}
	for _, c := range lines {
		mark := "ok    "
		if !c.OK {
			mark = "FAILED"
		}
		failed += failures(c)
		if c.Name != "note" {
			tried++
		}
		fmt.Fprintf(w, "%s  %-13s  %s\n", mark, c.Name, human.Printable(c.Detail))
	}
	switch {
	case failed == 0:
		fmt.Fprintln(w, "\nAll is well. Nothing was sent.")
	case held == 0:
		fmt.Fprintf(w, "\n%d of %s failed.\n", failed, human.Count(tried, "check"))
	default:
		fmt.Fprintf(w, "\n%d of %s failed, %s held.\n", failed, human.Count(tried, "check"), human.Count(held, "key"))
	}
}

func failures(c check) int {
	if c.OK {
		return 0
	}
	return 1
}

// bySource makes one check of all attributes of a source of which the same is said.
func bySource(checks []check) []check {
	var groups [][]check
	for _, c := range checks {
		i := slices.IndexFunc(groups, func(g []check) bool {
			first := g[0].checkedExport
			return first != nil && c.checkedExport != nil && c.Name != string(runs.KindTrack) && c.Name != string(runs.KindKnown) && g[0].OK == c.OK && first.Source == c.Source && first.said == c.said
		})
		if i < 0 {
			groups = append(groups, []check{c})
		} else {
			groups[i] = append(groups[i], c)
		}
	}
	var all []check
	for _, g := range groups {
		all = append(all, together(g))
	}
	return all
}

func together(group []check) check {
	const most = 8 // keys that are named
	c := group[0]
	if len(group) == 1 {
		return c
	}
	var keys []string
	for _, of := range group[:min(len(group), most)] {
		key := of.Key
		if of.Invalid > 0 && of.OK {
			key += fmt.Sprintf(" (%d invalid)", of.Invalid)
		}
		keys = append(keys, key)
	}
	names := strings.Join(keys, ", ")
	if more := len(group) - len(keys); more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	detail := fmt.Sprintf("%s: %d rows, %d without user id: %s", c.Source, c.Rows, c.WithoutUserID, names)
	switch {
	case !c.OK && strings.Contains(c.said, c.Source):
		detail = names
	case !c.OK:
		detail = c.Source + ": " + names
	}
	if c.said != "" {
		detail += ": " + c.said
	}
	return check{Name: "export", OK: c.OK, Detail: detail}
}

// token asks Gleap whether it takes the token, with a ticket of the window that syncs
// send in; where there is none, since a sync has them all, the token is not tried. Without
// a state, which then is what is wrong, it asks all the same.
func (c *checkCmd) token(ctx context.Context, a *App, cfg *config.Config, store *state.Store) (detail string, err error) {
	ask := func(ctx context.Context, cfg *config.Config, store *state.Store) error {
		client, _, stop, err := a.client(cfg)
		if err != nil {
			return err
		}
		defer stop()
		if store == nil {
			return client.Authenticate(ctx)
		}
		return sync.New(cfg.Sync, store, client, a.log, nil).Ask(ctx, client.Authenticate)
	}
	if cfg.Replica == nil || store == nil || !store.Exists() {
		err = ask(ctx, cfg, store)
	} else { // the ticket is written to the state, and a machine that has the lease may have the whole rate
		held, within, end, holdErr := a.hold(ctx, cfg, false)
		switch {
		case errors.As(holdErr, new(*state.LockedError)):
			err = holdErr
		case holdErr != nil: // what is wrong with the replica stands above
			return "not tried: the replica cannot be used", nil
		default:
			if store, err = state.Open(held.State); err == nil {
				err = ask(within, held, store)
			}
			err = end(err)
		}
	}
	var locked *state.LockedError
	var busy *gleap.BusyError
	switch {
	case errors.As(err, &locked):
		return fmt.Sprintf("not tried, a sync may use the whole rate: %v; its report says whether Gleap takes it", locked), nil
	case errors.As(err, &busy):
		return fmt.Sprintf("not tried: %v; run check again then", busy), nil
	}
	return "Gleap takes it", err
}

// withoutMembers returns the audiences that have none, and nothing else is wrong with.
func withoutMembers(r runs.Report) (keys []string) {
	for _, e := range r.Exports {
		if e.Kind == engage.Audience && e.Status == runs.StatusApplied && e.Members == 0 && !slices.Contains(r.Empty, e.Source) {
			keys = append(keys, e.Key)
		}
	}
	return keys
}

func exportChecks(r runs.Report) []check {
	var checks []check
	why := map[string]string{} // of keys that are held for one cause
	for _, c := range runs.Causes(r.Exports) {
		for _, e := range c.Exports {
			why[e.Key] = c.Why()
		}
	}
	for _, e := range r.Exports {
		c := check{Name: string(e.Kind), OK: !e.IsHeld(), checkedExport: &checkedExport{
			e.Key, e.Source, e.Type, e.Rows, e.Members, e.Invalid, e.WithoutUserID, cmp.Or(why[e.Key], e.Reason, e.Note),
		}}
		kind := ""
		if e.Type != "" {
			kind = string(e.Type) + ", "
		}
		c.Detail = fmt.Sprintf("%s: %s: %s%d rows, %d members, %d invalid, %d without user id", e.Key, e.Source, kind, e.Rows, e.Members, e.Invalid, e.WithoutUserID)
		if e.Kind == runs.KindTrack {
			c.Detail = fmt.Sprintf("%s: %d rows, %d new events, %d invalid, %d without user id", e.Name, e.Rows, e.Events, e.Invalid, e.WithoutUserID)
		}
		if e.Kind == runs.KindKnown {
			c.Detail = fmt.Sprintf("%s: %d rows, %d invalid, %d without user id", e.Name, e.Rows, e.Invalid, e.WithoutUserID)
		}
		if e.Note != "" {
			c.Detail += ": " + e.Note
		}
		if !c.OK {
			c.Detail = e.Key + ": " + e.Reason
		}
		checks = append(checks, c)
	}
	return checks
}
