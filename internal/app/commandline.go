package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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

// commands are all of them, in the order of the help.
var commands = []struct {
	name, help string
	make       func() any // its flags, with its Run
}{
	{"init", "Write a first configuration for a folder, a database or a bucket with exports.", func() any { return new(initCmd) }},
	{"sync", "Send what changed to Gleap.", func() any { return new(syncCmd) }},
	{"plan", "Show what sync would do, with the calls and the time it needs.", func() any { return new(planCmd) }},
	{"serve", "Sync on the schedule, with a status page and metrics.", func() any { return new(serveCmd) }},
	{"report", "Write the status page as one file.", func() any { return new(reportCmd) }},
	{"inspect", "Look into the state: what Gleap acknowledged, and what happened.", func() any { return new(inspectCmd) }},
	{"check", "Try the configuration, the token and the exports, and send nothing.", func() any { return new(checkCmd) }},
	{"baseline", "Take the present exports as delivered, and send nothing.", func() any { return new(baselineCmd) }},
	{"retire", "Send false to an audience's members, or null for a trait, then forget it.", func() any { return new(retireCmd) }},
	{"forget", "Delete contacts in Gleap and here, and never create them again.", func() any { return new(forgetCmd) }},
	{"retry", "Unpark contacts and events, so that the next run tries them again.", func() any { return new(retryCmd) }},
	{"resend", "Have the next run send all values of contacts again.", func() any { return new(resendCmd) }},
	{"discard", "Drop events that are due or parked, so that they are never sent.", func() any { return new(discardCmd) }},
	{"backup", "Copy the state file, also while a sync runs.", func() any { return new(backupCmd) }},
	{"restore", "Replace the state file by a backup.", func() any { return new(restoreCmd) }},
	{"verify", "Read the whole state file and check it.", func() any { return new(verifyCmd) }},
	{"compact", "Write the state file anew without its free pages.", func() any { return new(compactCmd) }},
	{"sandbox", "Run a Gleap on loopback to rehearse with.", func() any { return new(sandboxCmd) }},
	{"schema", "Print the JSON Schema of the configuration, or of what is printed as JSON.", func() any { return new(schemaCmd) }},
	{"completion", "Print a script that makes a shell complete the command line.", func() any { return new(completionCmd) }},
}

// Parse reads a command line and returns an app to run it; close that afterwards. Who asks
// for help or the version gets that, and the process ends. The error is one of usage, or an
// [*fs.PathError] if the help could not be written.
func Parse(args []string, version string) (*App, error) {
	args = asFlags(args)
	var c flags
	parser := kong.Must(&c, append(grammar(args), kong.Name("gleapsync"), kong.Description(description),
		kong.Vars{"version": "gleapsync " + version}, kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(readDuration)))...)
	if len(args) == 0 {
		if nothing, err := kong.Trace(parser, nil); err == nil {
			_ = nothing.PrintUsage(false)
		}
		return nil, errors.New("there is no command: choose one of those above")
	}
	parsed, err := parser.Parse(args)
	if write := (*fs.PathError)(nil); errors.As(err, &write) && write.Op == "write" { // of the help
		return nil, write
	}
	if err != nil {
		return nil, plain(err)
	}
	if err := checkArguments(parsed); err != nil {
		return nil, err
	}
	if c.Config == "" { // GLEAPSYNC_CONFIG is set, to nothing
		c.Config = defaultConfig
	}
	if c.Verbose {
		c.LogLevel = "debug"
	}
	a := newApp(c, version, os.Stdout, os.Stderr)
	a.command = parsed
	return a, nil
}

// grammar returns the command that a command line begins with, and all commands for any other
// line: to make them all takes as long as a short command runs.
func grammar(args []string) (options []kong.Option) {
	for _, c := range commands {
		option := kong.DynamicCommand(c.name, c.help, "", c.make())
		if len(args) > 0 && args[0] == c.name {
			return []kong.Option{option}
		}
		options = append(options, option)
	}
	return append(options, kong.DynamicCommand(completion.Question, "", "", new(completeCmd), `cmd:"" hidden:"" passthrough:""`))
}

// asFlags makes flags of the commands help and version, which many programs have, and of
// -v alone, which is the version there.
func asFlags(args []string) []string {
	switch {
	case len(args) == 0:
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

// checkArguments returns an error if an argument is empty, as "$KEY" is where nobody has set KEY: a
// flag without its value would be one that is left out, so that --only chose everything and
// --auth-file let everybody in. Nor may a flag of one value come twice, since the first would count
// for nothing: --config a.toml --config b.toml is not for two projects. How results and logs look
// may be said again, behind an alias that says it.
func checkArguments(parsed *kong.Context) error {
	if parsed.Selected().Name == completion.Question { // the word that is being completed may be empty
		return nil
	}
	seen := map[string]bool{}
	for _, p := range parsed.Path {
		switch {
		case p.Flag != nil && isEmpty(parsed.Value(p)):
			return errors.New(takesValue(p.Flag))
		case p.Flag != nil && slices.Contains([]string{"output", "log-format", "log-level"}, p.Flag.Name):
		case p.Flag != nil && seen[p.Flag.Name] && !p.Flag.IsBool() && !p.Flag.IsCumulative():
			if p.Flag.Name == "config" {
				return errors.New("--config is given twice: several projects take a pattern in quotes, as in --config 'projects/*.toml'")
			}
			return fmt.Errorf("--%s is given twice, and takes one value", p.Flag.Name)
		case p.Flag != nil:
			seen[p.Flag.Name] = true
		case p.Positional != nil && isEmpty(parsed.Value(p)):
			return fmt.Errorf("%s is empty", strings.ToUpper(p.Positional.Name))
		}
	}
	return nil
}

// isEmpty reports whether a value is an empty text, or a list that has one or nothing.
func isEmpty(value reflect.Value) bool {
	switch v := value.Interface().(type) {
	case string:
		return v == ""
	case []string:
		return len(v) == 0 || slices.Contains(v, "")
	}
	return false
}

// takesValue says that a flag does, and which.
func takesValue(f *kong.Flag) string {
	return fmt.Sprintf("--%s takes a value: --%[1]s %s", f.Name, strings.Trim(f.FormatPlaceHolder(), `"`))
}

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
		for _, flag := range parse.Context.Flags() {
			if "--"+flag.Name == m[1] {
				text = takesValue(flag)
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
