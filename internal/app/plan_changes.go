package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"gleapsync/internal/config"
	"gleapsync/internal/console"
	"gleapsync/internal/human"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
	"gleapsync/sync"
)

// changesFlags are those that show what would be sent, contact by contact.
type changesFlags struct {
	Changes bool     `help:"Show what would be sent: contact by contact, each attribute with what it was and where it comes from."`
	Contact []string `help:"With --changes: this contact only; may be repeated." placeholder:"ID" sep:"none"`
	Class   string   `help:"With --changes: contacts of this class only: exit, entry, change or first." enum:",exit,entry,change,first" default:"" placeholder:"CLASS"`
	Limit   *int     `help:"With --changes: how many contacts, 0 for all; 20 on a terminal if left out, else all." placeholder:"N"`
}

// check checks the flags, and that the others go with them.
func (f changesFlags) check(shown shownFlags) error {
	switch {
	case !f.Changes && (len(f.Contact) > 0 || f.Class != "" || f.Limit != nil):
		return &UsageError{errors.New("--contact, --class and --limit choose what --changes shows: give that too")}
	case f.Changes && (shown.All || shown.Sort != ""):
		return &UsageError{errors.New("--all and --sort are for the table, and --changes shows none")}
	case f.Limit != nil && *f.Limit < 0:
		return errLimit
	}
	return nil
}

var errLimit = &UsageError{errors.New("--limit takes a count, or 0 for all")}

// limit returns how many contacts are shown, 0 if all are.
func (f changesFlags) limit(onTerminal bool) int {
	switch {
	case f.Limit != nil:
		return *f.Limit
	case onTerminal:
		return 20
	}
	return 0
}

// chooses reports whether a contact is to be shown.
func (f changesFlags) chooses(c *sync.PlannedContact) bool {
	return (f.Class == "" || c.Class.String() == f.Class) &&
		(len(f.Contact) == 0 || slices.Contains(f.Contact, string(c.UserID)))
}

// look has contacts come, one after the other. If they are those who would leave what is held,
// begin is told before how many that are by key.
type look func(begin func(report runs.Report, exits map[string]int) error, yield func(*sync.PlannedContact) error) (runs.Report, error)

// look returns where the contacts come from that are shown.
func (c *planCmd) look(ctx context.Context, runner *sync.Runner, request inputs.Request) look {
	return func(begin func(runs.Report, map[string]int) error, yield func(*sync.PlannedContact) error) (runs.Report, error) {
		switch {
		case c.Save != "":
			return runner.Save(ctx, request, c.Save, yield)
		case c.Held:
			return runner.Held(ctx, request, begin, yield)
		}
		return runner.Changes(ctx, request, yield)
	}
}

// showChanges shows contacts as they come: they may be more than there is memory for. held says
// that those are shown who would leave if no guard held them and none of them was withheld.
func (f changesFlags) showChanges(ctx context.Context, a *App, cfg *config.Config, look look, held bool) (runs.Report, error) {
	none := "Nothing to send."
	if held {
		none = "Nobody's exit is held or withheld."
	}
	w := bufio.NewWriterSize(a.out, 64<<10)
	screen := a.screen(w)
	begin := func(report runs.Report, exits map[string]int) error {
		a.Close()
		if report.Held() {
			none = "No exit to show."
		}
		if a.asJSON() {
			return nil
		}
		if err := console.Leaving(screen, report, exits); err != nil || !cfg.Sync.Shown {
			return err
		}
		console.Known(screen, report, func(key string) bool { _, ok := exits[key]; return ok })
		return nil
	}
	limit := f.limit(screen.Width > 0 && !a.asJSON())
	n, silent := 0, slices.Clone(f.Contact)
	var line []byte
	report, err := look(begin, func(c *sync.PlannedContact) error {
		silent = slices.DeleteFunc(silent, func(id string) bool { return id == string(c.UserID) })
		if !f.chooses(c) {
			return nil
		}
		if n++; limit > 0 && n > limit {
			return nil
		}
		a.Close() // the progress bar, which is over
		if !a.asJSON() {
			return console.PlannedContact(screen, c)
		}
		line = append(c.AppendJSON(line[:0]), '\n')
		_, err := w.Write(line)
		return err
	})
	if err != nil {
		return report, err
	}
	a.Close()
	switch {
	case a.asJSON():
	case n == 0:
		fmt.Fprintln(w, none)
	case limit > 0 && n > limit:
		fmt.Fprintf(w, "\nand %s: --limit 0 shows all\n", human.Count(n-limit, "more contact"))
	}
	if held {
		return report, w.Flush()
	}
	var said io.Writer = w
	if a.asJSON() {
		said = io.Discard
	} else if cfg.Sync.Shown {
		console.Known(screen, report, func(string) bool { return true })
	}
	err = tellSilent(ctx, said, cfg, silent)
	return report, errors.Join(w.Flush(), err)
}
