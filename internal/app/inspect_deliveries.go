package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"gleapsync/engage"
	"gleapsync/internal/console"
	"gleapsync/internal/deliveries"
	"gleapsync/internal/human"
	"gleapsync/internal/runs"
	"gleapsync/internal/schedule"
)

type inspectDeliveriesCmd struct {
	Contact []string `help:"Of this contact only; may be repeated." placeholder:"ID" sep:"none"`
	Key     []string `help:"With this audience or trait only, or with those whose keys match; may be repeated." placeholder:"KEY|PATTERN"`
	Class   string   `help:"Of this class only: exit, entry, change or first." placeholder:"CLASS"`
	OfRun   string   `name:"run" help:"Of this run only: its id, its beginning, or last." placeholder:"ID"`
	Since   string   `help:"Since a date or a time, or for so long, such as 2d." placeholder:"TIME"`
	Limit   *int     `help:"The last ones only, 0 for all; on a terminal 20 if left out, else all." placeholder:"N"`
}

// Run shows which calls Gleap acknowledged.
func (c *inspectDeliveriesCmd) Run(ctx context.Context, a *App) error {
	if c.Limit != nil && *c.Limit < 0 {
		return errLimit
	}
	cfg, err := a.config()
	if err != nil {
		return err
	}
	log := cfg.Sync.Deliveries
	if !log.IsKept() {
		return errors.New("no log of deliveries is kept: name a folder or a bucket under [log] path, and syncs write it from then on")
	}
	q, err := c.query(a)
	if err != nil {
		return err
	}
	a.Close()
	show := func(d deliveries.Delivery) error { return console.Delivery(a.screen(a.out), d) }
	if a.asJSON() {
		encoder := json.NewEncoder(a.out)
		encoder.SetEscapeHTML(false)
		show = func(d deliveries.Delivery) error { return encoder.Encode(d) }
	}
	n := 0
	write := show
	show = func(d deliveries.Delivery) error { n++; return write(d) }
	limit := 0
	if c.Limit != nil {
		limit = *c.Limit
	} else if f, ok := a.out.(*os.File); ok && !a.asJSON() && term.IsTerminal(int(f.Fd())) {
		limit = 20
	}
	if limit == 0 {
		err = log.Read(ctx, q, show)
	} else {
		err = c.last(ctx, a.out, log, q, limit, show)
	}
	if err != nil || n > 0 || a.asJSON() {
		return err
	}
	begins, err := log.Begins(ctx)
	switch {
	case err != nil:
		return err
	case begins == "":
		fmt.Fprintln(a.out, "There is no call in the log yet: syncs write it.")
	default:
		fmt.Fprintf(a.out, "There is no such call in the log, which begins on %s.\n", begins)
	}
	return tellParked(a.out, cfg, c.Contact)
}

// last shows the last deliveries, and says how many there are before them.
func (c *inspectDeliveriesCmd) last(ctx context.Context, w io.Writer, log deliveries.Place, q deliveries.Query, limit int, show func(deliveries.Delivery) error) error {
	var last []deliveries.Delivery
	before := 0
	if err := log.Read(ctx, q, func(d deliveries.Delivery) error {
		if last = append(last, d); len(last) > limit {
			last, before = last[1:], before+1
		}
		return nil
	}); err != nil {
		return err
	}
	if before > 0 && c.Limit == nil {
		fmt.Fprintf(w, "%d earlier ones are left out; --limit shows more.\n", before)
	}
	for _, d := range last {
		if err := show(d); err != nil {
			return err
		}
	}
	return nil
}

func (c *inspectDeliveriesCmd) query(a *App) (deliveries.Query, error) {
	q := deliveries.Query{UserIDs: c.Contact}
	if len(c.Key) > 0 {
		q.Key = func(key string) bool { return engage.MatchesAny(c.Key, engage.Attribute{Key: key}) }
	}
	if c.Class != "" {
		q.Class = new(runs.Class)
		if err := q.Class.UnmarshalText([]byte(c.Class)); err != nil {
			return q, &UsageError{fmt.Errorf("--class: %w: it is exit, entry, change or first", err)}
		}
	}
	var err error
	if q.Since, err = since(c.Since, time.Now(), a.zone); err != nil {
		return q, &UsageError{err}
	}
	if c.OfRun != "" {
		v, err := a.view()
		if err != nil {
			return q, err
		}
		report, err := v.Find(c.OfRun)
		if err != nil {
			return q, err
		}
		q.Run = report.Run
	}
	return q, nil
}

// since reads a time, a date, or how long ago it was.
func since(text string, now time.Time, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.RFC3339, time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(form, text, zone); err == nil {
			return at, nil
		}
	}
	now = now.In(zone)
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, zone)
	switch text {
	case "today":
		return today, nil
	case "yesterday":
		return today.AddDate(0, 0, -1), nil
	}
	if at, ok := shownTime(text, zone); ok {
		return at, nil
	}
	for _, form := range []string{time.TimeOnly, "15:04"} {
		if at, err := time.Parse(form, text); err == nil {
			at = time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), at.Second(), 0, zone)
			if at.After(now) { // the last one
				at = at.AddDate(0, 0, -1)
			}
			return at, nil
		}
	}
	ago, err := schedule.ParseDuration(text)
	if err != nil {
		return time.Time{}, errors.New("--since takes a date such as 2026-11-29, a time such as 2026-11-29T08:00:00Z or 08:00, today, yesterday, or a duration such as 2d")
	}
	return now.Add(-ago), nil
}

// shownTime reads a time as results show it: with the name of a zone behind, which has to be the
// one of that time here, or UTC.
func shownTime(text string, zone *time.Location) (time.Time, bool) {
	i := strings.LastIndex(text, " ")
	if i < 0 {
		return time.Time{}, false
	}
	for _, zone := range []*time.Location{zone, time.UTC} {
		at, err := time.ParseInLocation(time.DateTime, text[:i], zone)
		if err != nil {
			continue
		}
		for _, at := range []time.Time{at, at.Add(-time.Hour), at.Add(time.Hour)} { // an hour may come twice
			if human.Time(at, zone) == text {
				return at, true
			}
		}
	}
	return time.Time{}, false
}
