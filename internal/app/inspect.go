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
	"gleapsync/internal/inspect"
	"gleapsync/internal/page"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// view opens the state to look into it.
func (a *App) view() (*inspect.View, error) {
	cfg, err := a.config()
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
func answer[T any](a *App, ask func(*inspect.View) (T, error), show func(io.Writer, T)) error {
	v, err := a.view()
	if err != nil {
		return err
	}
	told, err := ask(v)
	if err != nil {
		return err
	}
	return a.print(told, func(w io.Writer) { show(w, told) })
}

// InspectSummary shows what the state holds.
func (a *App) InspectSummary() error {
	return answer(a, (*inspect.View).Summary, console.Summary)
}

// InspectAudiences lists the audiences and traits.
func (a *App) InspectAudiences() error {
	return answer(a, (*inspect.View).Attributes, console.Attributes)
}

// InspectContact shows all that is known of a contact.
func (a *App) InspectContact(ctx context.Context, userID string) error {
	ask := func(v *inspect.View) (inspect.Contact, error) { return v.Contact(ctx, userID) }
	return answer(a, ask, console.Contact)
}

// InspectParked lists the parked contacts.
func (a *App) InspectParked() error {
	return answer(a, (*inspect.View).Parked, console.Parked)
}

// InspectEvents shows the events that are due, and those that are parked.
func (a *App) InspectEvents() error {
	return answer(a, (*inspect.View).Events, console.Events)
}

// InspectRuns lists the last runs.
func (a *App) InspectRuns(limit int) error {
	if a.o.JSON {
		ask := func(v *inspect.View) ([]json.RawMessage, error) {
			reports, err := v.Reports(limit)
			return append([]json.RawMessage{}, reports...), err
		}
		return answer(a, ask, nil)
	}
	ask := func(v *inspect.View) ([]runs.Summary, error) { return v.Runs(limit) }
	return answer(a, ask, console.Runs)
}

// InspectRun shows one run.
func (a *App) InspectRun(id string) error {
	return answer(a, func(v *inspect.View) (runs.Report, error) { return v.Run(id) }, console.Sync)
}

// InspectAudience shows one audience or trait, with its members if asked for.
func (a *App) InspectAudience(key string, members bool) error {
	ask := func(v *inspect.View) (inspect.Attribute, error) { return v.Attribute(key) }
	if !members {
		return answer(a, ask, func(w io.Writer, s inspect.Attribute) { console.Attributes(w, []inspect.Attribute{s}) })
	}
	v, err := a.view()
	if err != nil {
		return err
	}
	summary, err := ask(v)
	if err != nil {
		return err
	}
	a.Close()
	if a.o.JSON {
		return writeMembers(a.o.Out, v, summary)
	}
	return v.Members(key, func(userID string) error {
		_, err := fmt.Fprintln(a.o.Out, console.Printable(userID))
		return err
	})
}

// writeMembers writes an audience with its members as JSON, one by one: there may be
// millions.
func writeMembers(w io.Writer, v *inspect.View, summary inspect.Attribute) error {
	head, err := json.Marshal(summary)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "%s,\"user_ids\":[", head[:len(head)-1]); err != nil {
		return err
	}
	separator := "\n"
	if err := v.Members(summary.Key, func(userID string) error {
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
	v, err := a.view()
	if err != nil {
		return err
	}
	data := page.Read(v, a.o.Version, nil)
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
