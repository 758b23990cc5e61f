package app

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"syscall"

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
	case err != nil && !IsUnread(err): // else how the run ended counts
		return err
	case r.Unreadable():
		return errUnreadable
	case r.Held():
		return ErrHeld
	case r.Contacts.Parked > 0 || r.Events.Refused > 0:
		return ErrParked
	}
	return err
}

// IsUnread reports whether all that went wrong is that nobody reads the result any more.
func IsUnread(err error) bool {
	if all, isJoined := err.(interface{ Unwrap() []error }); isJoined {
		return !slices.ContainsFunc(all.Unwrap(), func(err error) bool { return !IsUnread(err) })
	}
	var write *fs.PathError
	return errors.As(err, &write) && write.Path == os.Stdout.Name() && errors.Is(write, syscall.EPIPE)
}
