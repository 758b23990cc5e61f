// Command gleapsync syncs Segment Engage's audiences and computed traits to Gleap.
//
// The map of its packages, from the bottom to the top, is the table in architecture_test.go;
// each package's own comment says what it is for.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // for sync.time_zone where the machine has none

	"gleapsync/gleap"
	"gleapsync/internal/app"
	"gleapsync/internal/human"
	"gleapsync/state"
	"gleapsync/sync"
)

// version is set by the linker for releases.
var version = ""

func main() { os.Exit(run(os.Args[1:])) }

// run runs one command and returns the exit code.
func run(args []string) int {
	a, err := app.Parse(args, currentVersion())
	if errors.As(err, new(*fs.PathError)) { // the help could not be written
		fmt.Fprintf(os.Stderr, "gleapsync: %s\n", human.Printable(err.Error()))
		return exitFailed
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "gleapsync: %s\nRun gleapsync --help for the commands and flags.\n", human.Printable(err.Error()))
		return exitUsage
	}
	ctx, stopped := context.Background(), (<-chan os.Signal)(nil)
	if a.Finishes() {
		ctx, stopped = withSignals(a.Close)
	}
	err = a.Run(ctx)
	a.Close()
	code := exitCode(err, stopped)
	if code != 0 && code != exitHeld && code != exitParked && code != exitPipe { // of those the report said enough
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintf(os.Stderr, "gleapsync: %s\n", human.Printable(strings.TrimSpace(line)))
		}
	}
	return code
}

func currentVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// withSignals returns a context that ends at the first SIGINT or SIGTERM, which can
// then be had from the channel. The second one ends the process at once, after last. The same
// one that follows within the blink of an eye is no second one: timeout sends it to a process
// and to its group.
func withSignals(last func()) (context.Context, <-chan os.Signal) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals, first := make(chan os.Signal, 2), make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	// A log that nobody reads any more must not end a run: now such a write is an error, and no more.
	// To ignore the signal would have commands ignore it that are started.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	go func() {
		const blink = 100 * time.Millisecond
		s, at := <-signals, time.Now()
		first <- s
		cancel(sync.ErrInterrupted)
		second := <-signals
		for second == s && time.Since(at) < blink {
			second = <-signals
		}
		code := signalCode(second)
		time.AfterFunc(time.Second, func() { os.Exit(code) }) // a stopped terminal takes nothing
		last()
		os.Exit(code)
	}()
	return ctx, first
}

// The exit codes.
const (
	exitFailed      = 1  // could not run
	exitUsage       = 2  // wrong command line
	exitParked      = 3  // done, with parked contacts, or with events that were parked just now
	exitHeld        = 4  // done, with exports held or exits withheld; 1 if no export could be read at all: see app's judge
	exitUnreachable = 5  // Gleap was unreachable; the rest is left for the next run
	exitLocked      = 75 // another run holds the lock
	// Nobody reads the result any more, as behind | head: what a shell says where that ends a process.
	exitPipe = 128 + int(syscall.SIGPIPE)
)

// exitCode returns the exit code for a command's error.
func exitCode(err error, stopped <-chan os.Signal) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, sync.ErrInterrupted):
		return signalCode(<-stopped)
	case errors.Is(err, app.ErrHeld):
		return exitHeld
	case errors.Is(err, app.ErrParked):
		return exitParked
	case errors.As(err, new(*app.UsageError)):
		return exitUsage
	case errors.As(err, new(*state.LockedError)):
		return exitLocked
	case errors.As(err, new(*gleap.UnreachableError)):
		return exitUnreachable
	case app.IsUnread(err):
		return exitPipe
	}
	return exitFailed
}

// signalCode is the shell's way to say that a signal ended a process.
func signalCode(s os.Signal) int { return 128 + int(s.(syscall.Signal)) }
