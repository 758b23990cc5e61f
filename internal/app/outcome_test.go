package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"gleapsync/internal/runs"
)

// TestJudge: of several things that a report says the command ends with the gravest.
func TestJudge(t *testing.T) {
	errRun := errors.New("the run's")
	held := runs.ExportReport{Status: runs.StatusHeld}
	unreadable := runs.ExportReport{Status: runs.StatusHeld, Unreadable: true}
	unread := errors.Join(nil, fmt.Errorf("print: %w", &fs.PathError{Op: "write", Path: os.Stdout.Name(), Err: syscall.EPIPE}))
	failed := errors.Join(errRun, unread)
	for _, test := range []struct {
		report runs.Report
		err    error
		want   error
	}{
		{runs.Report{}, nil, nil},
		{runs.Report{Contacts: runs.ContactCounts{Parked: 1}}, nil, ErrParked},
		{runs.Report{Contacts: runs.ContactCounts{Parked: 1}, Exports: []runs.ExportReport{held}}, nil, ErrHeld},
		{runs.Report{Exports: []runs.ExportReport{unreadable, {Status: runs.StatusApplied}}}, nil, ErrHeld},
		{runs.Report{Exports: []runs.ExportReport{unreadable}}, nil, errUnreadable},
		{runs.Report{Events: runs.EventCounts{Refused: 1, Parked: 1}}, nil, ErrParked},
		{runs.Report{Events: runs.EventCounts{Parked: 1}}, nil, nil}, // it was said before
		{runs.Report{Outcome: runs.Partial}, nil, nil},
		{runs.Report{Exports: []runs.ExportReport{held}}, errRun, errRun},
		{runs.Report{}, unread, unread},
		{runs.Report{Exports: []runs.ExportReport{held}}, unread, ErrHeld}, // whether somebody reads it or not
		{runs.Report{}, failed, failed},
	} {
		if got := judge(test.report, test.err); got != test.want {
			t.Errorf("%+v, %v: %v, want %v", test.report, test.err, got, test.want)
		}
	}
	if !IsUnread(unread) || IsUnread(failed) || IsUnread(errRun) || IsUnread(nil) {
		t.Error("a run that failed is taken for a result that nobody reads")
	}
}
