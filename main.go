// Command gleapsync syncs Segment Engage's audiences and computed traits to Gleap.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // for sync.time_zone where the machine has none

	"github.com/alecthomas/kong"

	"gleapsync/gleap"
	"gleapsync/gleap/sandbox"
	"gleapsync/internal/app"
	"gleapsync/internal/completion"
	"gleapsync/internal/config"
	"gleapsync/internal/console"
	"gleapsync/internal/runs"
	"gleapsync/state"
	"gleapsync/sync"
)

// version is set by the linker for releases.
var version = ""

const description = `Syncs Segment Engage's audiences and computed traits to Gleap: one Identify Contact call for each changed contact, and what happened as events if asked to, within Gleap's rate limit.

Exit codes: 0 done, 1 could not run, 2 usage, 3 done with parked contacts or newly parked events, 4 done with exports held or exits withheld, 5 Gleap was unreachable, 75 another run holds the lock, 130 and 143 stopped by SIGINT and SIGTERM.`

// cli is the command line.
type cli struct {
	Config    string           `help:"Configuration file; ${default} if left out." default:"gleapsync.toml" env:"GLEAPSYNC_CONFIG" placeholder:"PATH"`
	Output    string           `help:"Form of results: ${enum}." enum:"text,json" default:"text"`
	LogFormat string           `help:"Form of log lines: ${enum}." enum:"text,json" default:"text"`
	LogLevel  string           `help:"Least level that is logged: ${enum}." enum:"debug,info,warn,error" default:"info"`
	Version   kong.VersionFlag `help:"Show the version."`

	Init     initCmd     `cmd:"" help:"Write a first configuration for a folder of exports."`
	Sync     syncCmd     `cmd:"" help:"Send what changed to Gleap."`
	Plan     planCmd     `cmd:"" help:"Show what sync would do, with the calls and the time it needs."`
	Serve    serveCmd    `cmd:"" help:"Sync on the schedule, with a status page and metrics."`
	Report   reportCmd   `cmd:"" help:"Write the status page as one file."`
	Inspect  inspectCmd  `cmd:"" help:"Look into the state: what Gleap acknowledged, and what happened."`
	Check    checkCmd    `cmd:"" help:"Try the configuration, the token and the exports, and send nothing."`
	Baseline baselineCmd `cmd:"" help:"Take the present exports as delivered, and send nothing."`
	Retire   retireCmd   `cmd:"" help:"Send false to an audience's members, or null for a trait, then forget it."`
	Forget   forgetCmd   `cmd:"" help:"Delete contacts in Gleap and here, and never create them again."`
	Retry    retryCmd    `cmd:"" help:"Unpark contacts and events, so that the next run tries them again."`
	Discard  discardCmd  `cmd:"" help:"Drop events that are due or parked, so that they are never sent."`
	Backup   backupCmd   `cmd:"" help:"Copy the state file, also while a sync runs."`
	Restore  restoreCmd  `cmd:"" help:"Replace the state file by a backup."`
	Verify   verifyCmd   `cmd:"" help:"Read the whole state file and check it."`
	Compact  compactCmd  `cmd:"" help:"Write the state file anew without its free pages."`
	Sandbox  sandboxCmd  `cmd:"" help:"Run a Gleap on loopback to rehearse with."`

	Completion completionCmd `cmd:"" help:"Print a script that makes a shell complete the command line."`
}

func main() { os.Exit(run(os.Args[1:])) }

// run runs one command and returns the exit code.
func run(args []string) int {
	if slices.Equal(args, []string{"--version"}) { // to build the command line takes longer
		fmt.Println("gleapsync " + currentVersion())
		return 0
	}
	var c cli
	parser := kong.Must(&c, kong.Name("gleapsync"), kong.Description(description),
		kong.Vars{"version": "gleapsync " + currentVersion()})
	if len(args) > 0 && args[0] == completion.Question {
		completion.Answer(os.Stdout, parser.Model, args[1:], config.Keys)
		return 0
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "gleapsync: %s\nRun gleapsync --help for the commands and flags.\n", console.Printable(err.Error()))
		return exitUsage
	}
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // one of the enum
	a := app.New(app.Options{
		Config: c.Config, JSON: c.Output == "json", LogJSON: c.LogFormat == "json", LogLevel: level,
		Version: currentVersion(), Out: os.Stdout, Errs: os.Stderr,
	})
	ctx, stopped := context.Background(), (<-chan os.Signal)(nil)
	if !strings.HasPrefix(command.Command(), "inspect") { // it has nothing to finish first
		ctx, stopped = withSignals(a.Close)
	}
	command.BindTo(ctx, (*context.Context)(nil))
	err = command.Run(a)
	a.Close()
	code := exitCode(err, stopped)
	if code != 0 && !errors.As(err, new(exitError)) {
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintf(os.Stderr, "gleapsync: %s\n", console.Printable(strings.TrimSpace(line)))
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
// then be had from the channel. The second one ends the process at once, after last.
func withSignals(last func()) (context.Context, <-chan os.Signal) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals, first := make(chan os.Signal, 2), make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		s := <-signals
		first <- s
		cancel(sync.ErrInterrupted)
		code := signalCode(<-signals)
		time.AfterFunc(time.Second, func() { os.Exit(code) }) // a stopped terminal takes nothing
		last()
		os.Exit(code)
	}()
	return ctx, first
}

type initCmd struct {
	Folder  string `arg:"" optional:"" default:"." help:"Where the exports are: the folder and those in it are looked at."`
	Project string `help:"Name of the Gleap project; if left out, that of the configuration's folder." placeholder:"NAME"`
}

// Run writes a configuration.
func (c *initCmd) Run(ctx context.Context, a *app.App) error {
	return a.Init(ctx, c.Folder, c.Project)
}

// runFlags are those of the commands that make a plan.
type runFlags struct {
	Full          bool              `help:"Send all values of all contacts again."`
	Only          []string          `help:"Look at this audience or trait only, or at those whose keys match; may be repeated." placeholder:"KEY|PATTERN"`
	MaxExits      map[string]string `help:"Let that many members leave an audience in this run: a share such as 60% or a count; may be repeated." placeholder:"KEY|PATTERN=LIMIT" mapsep:"none"`
	AcceptAbsence []string          `help:"Let those go in this run who are in no row that could be read, although some rows could not; may be repeated." placeholder:"KEY|PATTERN"`
}

func (f runFlags) request() app.Request {
	return app.Request{Full: f.Full, Only: f.Only, MaxExits: f.MaxExits, AcceptAbsence: f.AcceptAbsence}
}

type syncCmd struct {
	runFlags
	DryRun bool `help:"Do what plan does."`
}

// Run sends what changed.
func (c *syncCmd) Run(ctx context.Context, a *app.App) error {
	if c.DryRun {
		return judge(a.Plan(ctx, c.request()))
	}
	return judge(a.Sync(ctx, c.request()))
}

type planCmd struct{ runFlags }

// Run shows what sync would do.
func (c *planCmd) Run(ctx context.Context, a *app.App) error { return judge(a.Plan(ctx, c.request())) }

type serveCmd struct {
	Listen   string        `help:"Address of the status page, metrics and probes; ${default} if left out." default:"127.0.0.1:8080" placeholder:"ADDRESS"`
	AuthFile string        `help:"File with the users who may look: NAME:HASH lines as htpasswd -B writes them; everybody if left out." placeholder:"PATH"`
	Now      bool          `help:"Sync once at start, before the first slot."`
	Grace    time.Duration `help:"How long a run in flight may take to end after SIGTERM." default:"90s"`
}

// Run serves until a signal comes.
func (c *serveCmd) Run(ctx context.Context, a *app.App) error {
	return a.Serve(ctx, app.ServeOptions{Listen: c.Listen, AuthFile: c.AuthFile, Now: c.Now, Grace: c.Grace})
}

type reportCmd struct {
	Out string `help:"The file to write." required:"" placeholder:"FILE"`
}

// Run writes the report.
func (c *reportCmd) Run(a *app.App) error { return a.Report(c.Out) }

type baselineCmd struct {
	Only []string `help:"Look at this audience or trait only, or at those whose keys match; may be repeated." placeholder:"KEY|PATTERN"`
}

// Run takes the exports as delivered.
func (c *baselineCmd) Run(ctx context.Context, a *app.App) error {
	return judge(a.Baseline(ctx, app.Request{Only: c.Only}))
}

type checkCmd struct{}

// Run tries what a sync needs.
func (c *checkCmd) Run(ctx context.Context, a *app.App) error { return judge(a.Check(ctx)) }

type inspectCmd struct {
	Summary   inspectSummaryCmd   `cmd:"" default:"1" help:"What the state holds, in numbers."`
	Audiences inspectAudiencesCmd `cmd:"" help:"The audiences and traits that Gleap knows."`
	Audience  inspectAudienceCmd  `cmd:"" help:"One audience or trait, and who is in it."`
	Contact   inspectContactCmd   `cmd:"" help:"What Gleap acknowledged of a contact, and what the exports say."`
	Runs      inspectRunsCmd      `cmd:"" help:"What happened: the last runs, or one of them."`
	Parked    inspectParkedCmd    `cmd:"" help:"The contacts whose calls Gleap refused."`
	Events    inspectEventsCmd    `cmd:"" help:"The events that are due, and those that Gleap refused."`
}

type inspectSummaryCmd struct{}

// Run shows what the state holds.
func (c *inspectSummaryCmd) Run(a *app.App) error { return a.InspectSummary() }

type inspectAudiencesCmd struct{}

// Run lists the audiences and traits.
func (c *inspectAudiencesCmd) Run(a *app.App) error { return a.InspectAudiences() }

type inspectAudienceCmd struct {
	Key     string `arg:"" help:"Key of the audience or trait."`
	Members bool   `help:"List the user ids."`
}

// Run shows one audience or trait.
func (c *inspectAudienceCmd) Run(a *app.App) error { return a.InspectAudience(c.Key, c.Members) }

type inspectContactCmd struct {
	ID string `arg:"" help:"User id."`
}

// Run shows one contact.
func (c *inspectContactCmd) Run(ctx context.Context, a *app.App) error {
	return a.InspectContact(ctx, c.ID)
}

type inspectRunsCmd struct {
	ID    string `arg:"" optional:"" help:"Run id; without one the last runs."`
	Limit int    `help:"How many runs." default:"20"`
}

// Run lists runs, or shows one.
func (c *inspectRunsCmd) Run(a *app.App) error {
	if c.ID != "" {
		return a.InspectRun(c.ID)
	}
	return a.InspectRuns(c.Limit)
}

type inspectParkedCmd struct{}

// Run lists the parked contacts.
func (c *inspectParkedCmd) Run(a *app.App) error { return a.InspectParked() }

type inspectEventsCmd struct{}

// Run shows the events.
func (c *inspectEventsCmd) Run(a *app.App) error { return a.InspectEvents() }

type retireCmd struct {
	Key string `arg:"" name:"former-key" help:"Key of an audience or trait that the configuration does not have any more."`
}

// Run retires an audience or trait.
func (c *retireCmd) Run(ctx context.Context, a *app.App) error { return judge(a.Retire(ctx, c.Key)) }

type forgetCmd struct {
	IDs []string `arg:"" name:"id" help:"User ids."`
}

// Run forgets contacts.
func (c *forgetCmd) Run(ctx context.Context, a *app.App) error { return a.Forget(ctx, c.IDs) }

type retryCmd struct {
	IDs []string `arg:"" optional:"" name:"id" help:"User ids; all parked contacts and events without one."`
}

// Run unparks contacts.
func (c *retryCmd) Run(a *app.App) error { return a.Retry(c.IDs) }

type discardCmd struct {
	IDs    []string `arg:"" optional:"" name:"id" help:"User ids; the events of all contacts without one."`
	Parked bool     `help:"Only those that Gleap refused."`
}

// Run discards events.
func (c *discardCmd) Run(a *app.App) error { return a.Discard(c.Parked, c.IDs) }

type backupCmd struct {
	Path string `arg:"" help:"The copy, which must not exist yet."`
}

// Run copies the state file.
func (c *backupCmd) Run(a *app.App) error { return a.Backup(c.Path) }

type restoreCmd struct {
	Path             string `arg:"" help:"The backup."`
	WithoutForgotten bool   `help:"Restore although the list of forgotten contacts in the present state cannot be read."`
}

// Run replaces the state file.
func (c *restoreCmd) Run(a *app.App) error { return a.Restore(c.Path, c.WithoutForgotten) }

type verifyCmd struct{}

// Run checks the state file.
func (c *verifyCmd) Run(a *app.App) error { return a.Verify() }

type compactCmd struct{}

// Run makes the state file smaller.
func (c *compactCmd) Run(a *app.App) error { return a.Compact() }

type sandboxCmd struct {
	Listen  string        `help:"Address to listen on, loopback only; ${default} if left out." default:"127.0.0.1:8089" placeholder:"ADDRESS"`
	Token   string        `help:"The API token to take; any if left out." env:"GLEAPSYNC_SANDBOX_TOKEN" placeholder:"TOKEN"`
	Rate    int           `help:"Requests that a window allows; 0 for no limit." default:"1000"`
	Window  time.Duration `help:"Window of the rate limit." default:"60s"`
	Latency time.Duration `help:"Time that every answer takes." default:"0s"`
	Fault   []string      `help:"Share of the requests that go wrong: 429=5%, 500=1%, reset=1%, lost=1%; may be repeated." placeholder:"KIND=SHARE"`
	Seed    uint64        `help:"Seed of the faults." default:"1"`
}

// Run serves until a signal comes.
func (c *sandboxCmd) Run(ctx context.Context, a *app.App) error {
	fault, err := sandbox.ParseFaults(c.Fault, c.Seed)
	if err != nil {
		return &app.UsageError{Err: err}
	}
	return a.ServeSandbox(ctx, c.Listen, sandbox.Options{Token: c.Token, Rate: c.Rate, Window: c.Window, Latency: c.Latency, Fault: fault})
}

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: ${enum}."`
}

// Run prints the script.
func (c *completionCmd) Run() error {
	script, err := completion.Script(c.Shell)
	if err != nil {
		return err
	}
	_, err = fmt.Print(script)
	return err
}

// The exit codes. A run that ends with several of them returns the first of held,
// parked.
const (
	exitFailed      = 1  // could not run
	exitUsage       = 2  // wrong command line
	exitParked      = 3  // done, with parked contacts, or with events that were parked just now
	exitHeld        = 4  // done, with exports held or exits withheld
	exitUnreachable = 5  // Gleap was unreachable; the rest is left for the next run
	exitLocked      = 75 // another run holds the lock
)

// exitError is the exit code of a command that did its work and has said so.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// judge adds what a report means for the exit code.
func judge(r runs.Report, err error) error {
	switch {
	case err != nil:
		return err
	case r.Unreadable():
		return errors.New("no export could be read")
	case r.Held():
		return exitError(exitHeld)
	case r.Contacts.Parked > 0 || r.Events.Refused > 0:
		return exitError(exitParked)
	}
	return nil
}

// exitCode returns the exit code for a command's error.
func exitCode(err error, stopped <-chan os.Signal) int {
	var code exitError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, sync.ErrInterrupted):
		return signalCode(<-stopped)
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, new(*app.UsageError)):
		return exitUsage
	case errors.As(err, new(*state.LockedError)):
		return exitLocked
	case errors.As(err, new(*gleap.UnreachableError)):
		return exitUnreachable
	}
	return exitFailed
}

// signalCode is the shell's way to say that a signal ended a process.
func signalCode(s os.Signal) int {
	const base = 128
	if s == syscall.SIGTERM {
		return base + int(syscall.SIGTERM)
	}
	return base + int(syscall.SIGINT)
}
