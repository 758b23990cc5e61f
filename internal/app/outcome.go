package app

import (
	"errors"
	"io"

	"gleapsync/gleap/sandbox"
	"gleapsync/internal/console"
	"gleapsync/internal/runs"
)

// These end a command whose run did its work and left something to look at. Its report has
// said what. If both hold, it is ErrHeld.
var (
	ErrHeld   = errors.New("exports are held, or exits withheld")
	ErrParked = errors.New("contacts are parked, or events were parked just now")
)

var errUnreadable = errors.New("no export could be read")

// judge adds what a report means for the end of the command.
func judge(r runs.Report, err error) error {
	switch {
	case err != nil:
		return err
	case r.Unreadable():
		return errUnreadable
	case r.Held():
		return ErrHeld
	case r.Contacts.Parked > 0 || r.Events.Refused > 0:
		return ErrParked
	}
	return nil
}

// printRun shows a run's report, if the run began, and returns its error.
func (a *App) printRun(report runs.Report, shown console.Shown, embedded *sandbox.Sandbox, err error) error {
	if report.Run == "" {
		return err
	}
	result := struct {
		runs.Report
		Sandbox *sandbox.Counts `json:"sandbox,omitempty"`
	}{Report: report}
	if embedded != nil {
		counts := embedded.Counts()
		result.Sandbox = &counts
	}
	return errors.Join(err, a.print(result, func(w io.Writer) {
		console.Sync(a.screen(w), report, shown)
		if embedded != nil {
			console.Sandbox(w, embedded)
		}
	}))
}
