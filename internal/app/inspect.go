package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"gleapsync/internal/config"
	"gleapsync/internal/console"
	"gleapsync/internal/page"
	"gleapsync/internal/runs"
	"gleapsync/state"
	"gleapsync/sync"
)

// inspector opens the state to look into it.
func (a *App) inspector() (*sync.Inspector, error) {
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	return inspectorOf(cfg)
}

func inspectorOf(cfg *config.Config) (*sync.Inspector, error) {
	store, err := state.Open(cfg.State)
	if err != nil {
		return nil, err
	}
	return sync.NewInspector(cfg.Sync, store), nil
}

// inspect shows what a question to the inspector is answered with.
func inspect[T any](a *App, ask func(*sync.Inspector) (T, error), show func(io.Writer, T)) error {
	i, err := a.inspector()
	if err != nil {
		return err
	}
	answer, err := ask(i)
	if err != nil {
		return err
	}
	return a.print(answer, func(w io.Writer) { show(w, answer) })
}

// InspectSummary shows what the state holds.
func (a *App) InspectSummary() error {
	return inspect(a, (*sync.Inspector).Summary, console.Summary)
}

// InspectAudiences lists the audiences and traits.
func (a *App) InspectAudiences() error {
	return inspect(a, (*sync.Inspector).Attributes, console.Attributes)
}

// InspectContact shows all that is known of a contact.
func (a *App) InspectContact(ctx context.Context, userID string) error {
	ask := func(i *sync.Inspector) (sync.ContactDetail, error) { return i.Contact(ctx, userID) }
	return inspect(a, ask, console.Contact)
}

// InspectParked lists the parked contacts.
func (a *App) InspectParked() error {
	return inspect(a, (*sync.Inspector).Parked, console.Parked)
}

// InspectEvents shows the events that are due, and those that are parked.
func (a *App) InspectEvents() error {
	return inspect(a, (*sync.Inspector).Events, console.Events)
}

// InspectRuns lists the last runs.
func (a *App) InspectRuns(limit int) error {
	if a.o.JSON {
		ask := func(i *sync.Inspector) ([]json.RawMessage, error) {
			reports, err := i.Reports(limit)
			return append([]json.RawMessage{}, reports...), err
		}
		return inspect(a, ask, nil)
	}
	ask := func(i *sync.Inspector) ([]runs.Summary, error) { return i.Runs(limit) }
	return inspect(a, ask, console.Runs)
}

// InspectRun shows one run.
func (a *App) InspectRun(id string) error {
	return inspect(a, func(i *sync.Inspector) (runs.Report, error) { return i.Run(id) }, console.Sync)
}

// InspectAudience shows one audience or trait, with its members if asked for.
func (a *App) InspectAudience(key string, members bool) error {
	ask := func(i *sync.Inspector) (sync.AttributeSummary, error) { return i.Attribute(key) }
	if !members {
		return inspect(a, ask, func(w io.Writer, s sync.AttributeSummary) { console.Attributes(w, []sync.AttributeSummary{s}) })
	}
	i, err := a.inspector()
	if err != nil {
		return err
	}
	summary, err := ask(i)
	if err != nil {
		return err
	}
	a.Close()
	if a.o.JSON {
		return writeMembers(a.o.Out, i, summary)
	}
	return i.Members(key, func(userID string) error {
		_, err := fmt.Fprintln(a.o.Out, console.Printable(userID))
		return err
	})
}

// writeMembers writes an audience with its members as JSON, one by one: there may be
// millions.
func writeMembers(w io.Writer, i *sync.Inspector, summary sync.AttributeSummary) error {
	head, err := json.Marshal(summary)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "%s,\"user_ids\":[", head[:len(head)-1]); err != nil {
		return err
	}
	separator := "\n"
	if err := i.Members(summary.Key, func(userID string) error {
		text, err := json.Marshal(userID)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s%s", separator, text)
		separator = ",\n"
		return err
	}); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, "\n]}")
	return err
}

// Report writes the status page as a file that is complete in itself.
func (a *App) Report(path string) error {
	i, err := a.inspector()
	if err != nil {
		return err
	}
	data := page.Read(i, a.o.Version, nil)
	if data.Error != "" {
		return errors.New(data.Error)
	}
	var html bytes.Buffer
	if err := page.Report(&html, data); err != nil {
		return err
	}
	if err := writeFile(path, html.Bytes()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return a.print(map[string]string{"report": path}, func(w io.Writer) {
		fmt.Fprintf(w, "The report is in %s.\n", console.Printable(path))
	})
}

// writeFile replaces a file as a whole, so that nobody reads a half of it.
func writeFile(path string, text []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(text)
	if err := errors.Join(err, temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}
