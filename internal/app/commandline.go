package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"gleapsync/internal/completion"
	"gleapsync/internal/pattern"
	"gleapsync/internal/schedule"
)

const description = `Syncs Segment Engage's audiences and computed traits to Gleap: one Identify Contact call for each changed contact, and what happened as events if asked to, within Gleap's rate limit.

Exit codes: 0 done, 1 could not run, 2 usage, 3 done with parked contacts or newly parked events, 4 done with exports held or exits withheld, 5 Gleap was unreachable, 75 another run holds the lock, 130 and 143 stopped by SIGINT and SIGTERM.`

// defaultConfig is the configuration file that nobody has to name.
const defaultConfig = "gleapsync.toml"

// flags are those of all commands.
type flags struct {
	Config    string           `help:"Configuration file; ${default} if left out. check, plan, sync and serve take several, as a pattern in quotes." default:"gleapsync.toml" env:"GLEAPSYNC_CONFIG" placeholder:"PATH"`
	Output    string           `short:"o" help:"Form of results: ${enum}." enum:"text,json" default:"text"`
	LogFormat string           `help:"Form of log lines: ${enum}." enum:"text,json" default:"text"`
	LogLevel  string           `help:"Least level that is logged: ${enum}." enum:"debug,info,warn,error" default:"info"`
	Verbose   bool             `short:"v" help:"Log more, as --log-level debug does; without a command show the version."`
	Version   kong.VersionFlag `help:"Show the version."`
}

// commandLine has all commands, in the order of the help.
type commandLine struct {
	flags

	Init     initCmd     `cmd:"" help:"Write a first configuration for a folder, a database or a bucket with exports."`
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
	Resend   resendCmd   `cmd:"" help:"Have the next run send all values of contacts again."`
	Discard  discardCmd  `cmd:"" help:"Drop events that are due or parked, so that they are never sent."`
	Backup   backupCmd   `cmd:"" help:"Copy the state file, also while a sync runs."`
	Restore  restoreCmd  `cmd:"" help:"Replace the state file by a backup."`
	Verify   verifyCmd   `cmd:"" help:"Read the whole state file and check it."`
	Compact  compactCmd  `cmd:"" help:"Write the state file anew without its free pages."`
	Sandbox  sandboxCmd  `cmd:"" help:"Run a Gleap on loopback to rehearse with."`

	Schema     schemaCmd     `cmd:"" help:"Print the JSON Schema of the configuration, or of what is printed as JSON."`
	Completion completionCmd `cmd:"" help:"Print a script that makes a shell complete the command line."`
}

// Parse reads a command line and returns an app to run it; close that afterwards. Who asks
// for help or the version gets that, and the process ends. The error is one of usage.
func Parse(args []string, version string) (*App, error) {
	var c commandLine
	parser := kong.Must(&c, kong.Name("gleapsync"), kong.Description(description),
		kong.Vars{"version": "gleapsync " + version}, kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(readDuration)),
		kong.DynamicCommand(completion.Question, "", "", new(completeCmd), `cmd:"" hidden:"" passthrough:""`))
	if len(args) == 0 {
		if nothing, err := kong.Trace(parser, nil); err == nil {
			_ = nothing.PrintUsage(false)
		}
		return nil, errors.New("there is no command: choose one of those above")
	}
	parsed, err := parser.Parse(asFlags(args))
	if err != nil {
		return nil, plain(err)
	}
	if c.Verbose {
		c.LogLevel = "debug"
	}
	a := newApp(c.flags, version, os.Stdout, os.Stderr)
	a.command = parsed
	return a, nil
}

// asFlags makes flags of the commands help and version, which many programs have, and of
// -v alone, which is the version there.
func asFlags(args []string) []string {
	switch {
	case args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	case len(args) == 1 && (args[0] == "version" || args[0] == "-v"):
		return []string{"--version"}
	}
	return args
}

// What the parser says of a command line, for people.
var (
	noValue     = pattern.Of(`^(--[a-z-]+): (?:expected .* value but got .*|missing value, .*)$`)
	unknownFlag = pattern.Of(`^(unknown flag -\w), did you mean .*$`) // of one letter all are near
	unknownWord = pattern.Of(`^unexpected argument`)
	otherWord   = pattern.Of(`^(there is no command (?:status|state|stats|info|show))\b.*$`) // of other programs
	moreConfigs = pattern.Of(`^unexpected argument .*\.toml$`)                               // which the shell made of a pattern
	missing     = pattern.Of(`^expected "<([^>]*)>( \.\.\.)?"$`)
	noChoice    = pattern.Of(`^(--[a-z-]+) must be one of ("",)?(.*) but got (".*")$`)
	noCommand   = pattern.Of(`^expected one of`)
)

// plain says in plain words what is wrong with a command line.
func plain(err error) error {
	text := unknownFlag().ReplaceAllString(err.Error(), "$1")
	var parse *kong.ParseError
	if !errors.As(err, &parse) {
		return err
	}
	if parse.Context.Selected() == nil {
		text = unknownWord().ReplaceAllString(text, "there is no command")
		if m := otherWord().FindStringSubmatch(text); m != nil {
			text = m[1] + `, did you mean "inspect"?`
		}
	}
	if moreConfigs().MatchString(text) {
		text += ": quote a pattern that stands for several configurations, as in --config 'projects/*.toml'"
	}
	text = noCommand().ReplaceAllString(text, "there is no command: choose one of")
	if m := missing().FindStringSubmatch(text); m != nil {
		text = strings.ToUpper(m[1]) + " is missing"
	}
	if m := noChoice().FindStringSubmatch(text); m != nil {
		choices := strings.ReplaceAll(strings.ReplaceAll(m[3], `"`, ""), ",", ", ")
		if last := strings.LastIndex(choices, ", "); last >= 0 {
			choices = choices[:last] + " or" + choices[last+1:]
		}
		text = fmt.Sprintf("%s takes %s, not %s", m[1], choices, m[4])
	}
	if m := noValue().FindStringSubmatch(text); m != nil {
		text = m[1] + " takes a value"
		for _, flag := range parse.Context.Flags() {
			if "--"+flag.Name == m[1] {
				text += ": " + m[1] + " " + strings.Trim(flag.FormatPlaceHolder(), `"`)
			}
		}
	}
	return errors.New(text)
}

// readDuration reads a flag's duration, which has days as those of the configuration do.
func readDuration(context *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := context.Scan.PopValueInto("duration", &text); err != nil {
		return err
	}
	if text == "0" || text == "0s" {
		target.SetInt(0)
		return nil
	}
	d, err := schedule.ParseDuration(text)
	target.SetInt(int64(d))
	return err
}

// Finishes reports whether the command has something to finish when it is interrupted.
func (a *App) Finishes() bool { return !strings.HasPrefix(a.command.Command(), "inspect") }

// Run carries the command out.
func (a *App) Run(ctx context.Context) error {
	a.command.BindTo(ctx, (*context.Context)(nil))
	return a.command.Run(a)
}
