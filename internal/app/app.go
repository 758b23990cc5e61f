// Package app is the command line: a file for each command, with its flags and its body.
// commandline.go lists the commands. The other files are what several of them share: the flags
// of runs (runflags.go), where results go (results.go), how a run ends the command (outcome.go), the
// question before what cannot be undone (confirm.go), the address space that a run takes (space.go).
//
// A command is a struct of its flags. Its Run puts configuration, state, client and runner
// together with what [App] has for all of them, and shows what comes out. Results go to
// stdout, as text or JSON; logs and progress go to stderr.
package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"gleapsync/gleap"
	"gleapsync/gleap/sandbox"
	"gleapsync/internal/config"
	"gleapsync/internal/console"
	"gleapsync/internal/human"
	"gleapsync/internal/projects"
	"gleapsync/internal/replica"
	"gleapsync/state"
)

// App runs a command. It has what all of them share.
type App struct {
	results
	command *kong.Context
	version string
	errs    io.Writer
	named   string // the configuration of one of several projects, for commands that can be pasted
	beside  bool   // other runs may go on in this process
	log     *slog.Logger
	replica *replica.Status // as a command looked at it; nil: there is none, or nobody looked
	read    func(path string) (*config.Config, error)
}

func newApp(f flags, version string, out io.Writer, errs *os.File) *App {
	a := &App{results: results{flags: f, out: out, zone: time.Local}, version: version, read: config.Load}
	a.errs = errs
	if term.IsTerminal(int(errs.Fd())) && os.Getenv("TERM") != "dumb" {
		a.bar = console.NewBar(errs)
		a.errs = a.bar
	}
	a.log = newLog(f, a.errs, "")
	slog.SetDefault(a.log) // what libraries write with package log must not go through the bar
	log.SetOutput(withoutAnswers{log.Writer()})
	return a
}

// newLog returns a log whose lines have commands name a configuration, if there is one to name.
func newLog(f flags, w io.Writer, config string) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(f.LogLevel)) // one of the enum
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Value.Kind() == slog.KindString {
			a.Value = slog.StringValue(human.Commands(a.Value.String(), config))
		}
		return a
	}}
	if f.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// withoutAnswers keeps from the log what net/http writes there of an answer that nobody
// asked for: its beginning, so maybe a contact.
type withoutAnswers struct{ io.Writer }

func (w withoutAnswers) Write(line []byte) (int, error) {
	if bytes.HasPrefix(line, []byte("Unsolicited response")) {
		return len(line), nil
	}
	return w.Writer.Write(line)
}

// UsageError is an error in what was asked for.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

// config reads the configuration, and makes sure that there is room for what it asks.
func (a *App) config() (*config.Config, error) {
	if err := a.ofOne(); err != nil {
		return nil, err
	}
	cfg, err := a.read(a.flags.Config)
	if err != nil {
		return cfg, err
	}
	a.zone, cfg.Sync.Alone = cfg.Zone, !a.beside
	return cfg, checkSpace(cfg, spaceLimit())
}

// ofOne returns an error if --config stands for several projects.
func (a *App) ofOne() error {
	if !projects.IsPattern(a.flags.Config) {
		return nil
	}
	return &UsageError{fmt.Errorf("--config %s stands for several projects, which check, plan, sync and serve take: name the configuration of one", a.flags.Config)}
}

// lookedAt reads the configuration, for a command that only reads the state, and brings that up
// to date.
func (a *App) lookedAt(ctx context.Context) (*config.Config, error) {
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	return cfg, a.look(ctx, cfg)
}

// load reads the configuration and opens the state to look into it.
func (a *App) load(ctx context.Context) (*config.Config, *state.Store, error) {
	cfg, err := a.lookedAt(ctx)
	if err != nil {
		return nil, nil, err
	}
	store, err := state.Open(cfg.State)
	return cfg, store, err
}

// openForRun opens the state for a run. known is what it was like when this process saw it
// last, nil if it did not.
func openForRun(cfg *config.Config, known *state.Mark) (*state.Store, error) {
	o := cfg.State
	o.Known = known
	store, err := state.Open(o)
	if err != nil {
		return nil, err
	}
	return store, checkReserved(cfg, store)
}

// checkGleap returns an error if the state is about another Gleap than the configured one: what
// the one acknowledged the other does not have. Only a full resync tells it everything, so that
// full is right for any.
func checkGleap(cfg *config.Config, store *state.Store, full bool) error {
	o, err := store.Overview()
	if err != nil || o.Gleap == "" || o.Gleap == cfg.Sync.Gleap {
		return err
	}
	if full && o.Deletions > 0 { // the other one does not have them, and would have them count as deleted
		return fmt.Errorf("the state file %s has %s that %s may still have, although they were forgotten: run gleapsync forget there until none is left, and go on with %s then",
			cfg.State.Path, human.Count(o.Deletions, "contact"), gleapName(o.Gleap), gleapName(cfg.Sync.Gleap))
	}
	if full {
		return nil
	}
	return fmt.Errorf("the state file %s knows what %s has, not %s, which gleap.base_url or gleap.region now names: set state.path to another file for each of them; if this one is to go on here, gleapsync sync --full tells everything again",
		cfg.State.Path, gleapName(o.Gleap), gleapName(cfg.Sync.Gleap))
}

// gleapName returns the name of a Gleap as a sentence has it.
func gleapName(name string) string {
	if name == config.Sandbox {
		return "a sandbox on this machine"
	}
	return name
}

// checkReserved returns what is wrong with keys that only earlier versions took. Those that
// were delivered go on, which the state knows.
func checkReserved(cfg *config.Config, store *state.Store) error {
	o, err := store.Overview()
	if err != nil {
		return err
	}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(cfg.Reserved)) {
		if !slices.ContainsFunc(o.Attributes, func(a state.Attribute) bool { return a.Key == key && !a.Gone() && !a.Applied.At.IsZero() }) {
			errs = append(errs, cfg.Reserved[key])
		}
	}
	return errors.Join(errs...)
}

// client returns a client for the configured Gleap. An embedded sandbox comes back too;
// stop ends both.
func (a *App) client(cfg *config.Config) (c *gleap.Client, embedded *sandbox.Sandbox, stop func(), err error) {
	o := cfg.Gleap
	o.Version, o.Log = a.version, a.log
	end := func() {}
	if cfg.Sandbox {
		embedded, end, err = startSandbox(&o)
	} else {
		o.Token, err = cfg.Token()
	}
	if err != nil {
		return nil, nil, nil, err
	}
	if path := cfg.TokenIsOpen(); path != "" {
		a.log.Warn("everybody on this machine may read the file with the API token: take that right away with chmod o-r", "file", path)
	}
	if cfg.AboveLimit() {
		a.log.Warn("gleap.rate is more than Gleap allows, which is 1000 requests in 60 s for a project: what is above it gets refused and is sent again", "rate", o.Rate, "window", o.Window)
	}
	if c, err = gleap.New(o); err != nil {
		end()
		return nil, nil, nil, err
	}
	return c, embedded, func() { c.Close(); end() }, nil
}
