package app

import (
	"errors"

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
