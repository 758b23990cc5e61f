// Package app carries out the commands: it puts configuration, state, client and
// runner together, and shows what comes out.
package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"os"
	"slices"
	"unicode/utf8"

	"golang.org/x/term"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/gleap/sandbox"
	"gleapsync/internal/config"
	"gleapsync/internal/console"
	"gleapsync/internal/runs"
	"gleapsync/state"
	"gleapsync/sync"
)

// Options are what the command line says for all commands.
type Options struct {
	Config    string // path
	JSON      bool   // results as JSON
	LogJSON   bool
	LogLevel  slog.Level
	Version   string
	Out, Errs *os.File
}

// App runs commands. Close it after the last one.
type App struct {
	o   Options
	log *slog.Logger
	bar *console.Bar // nil: no terminal
	// last is the last sync of this process, empty if there was none.
	last runs.Report
	// states are the states that this process saw, by their paths: none may vanish unnoticed.
	states map[string]*state.Mark
}

// New returns an app.
func New(o Options) *App {
	a := &App{o: o, states: map[string]*state.Mark{}}
	var w io.Writer = o.Errs
	if term.IsTerminal(int(o.Errs.Fd())) && os.Getenv("TERM") != "dumb" {
		a.bar = console.NewBar(o.Errs)
		w = a.bar
	}
	options := &slog.HandlerOptions{Level: o.LogLevel}
	if o.LogJSON {
		a.log = slog.New(slog.NewJSONHandler(w, options))
	} else {
		a.log = slog.New(slog.NewTextHandler(w, options))
	}
	slog.SetDefault(a.log) // what libraries write with package log must not go through the bar
	log.SetOutput(withoutAnswers{log.Writer()})
	return a
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

// Close ends the progress bar.
func (a *App) Close() {
	if a.bar != nil {
		a.bar.Close()
	}
}

// UsageError is an error in what was asked for.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

// Request is what the command line asks of a run.
type Request struct {
	Full          bool
	Only          []string
	MaxExits      map[string]string
	AcceptAbsence []string
}

// check turns a request into one for a runner.
func (r Request) check(cfg *config.Config) (sync.Request, error) {
	request := sync.Request{Full: r.Full, Only: r.Only, MaxExits: map[string]sync.Limit{}, AcceptAbsence: r.AcceptAbsence}
	for key, text := range r.MaxExits {
		limit, err := sync.ParseLimit(text)
		if err != nil {
			return request, &UsageError{fmt.Errorf("--max-exits %s: %w", key, err)}
		}
		request.MaxExits[key] = limit
	}
	for _, key := range slices.Concat(r.Only, slices.Sorted(maps.Keys(r.MaxExits)), r.AcceptAbsence) {
		switch {
		case cfg.MayFeed(key):
		case engage.IsPattern(key):
			return request, &UsageError{fmt.Errorf("the configuration has no audience or trait whose key matches %q", key)}
		default:
			return request, &UsageError{fmt.Errorf("the configuration has no audience or trait with the key %q", key)}
		}
	}
	return request, nil
}

// open opens the state for a run.
func (a *App) open(cfg *config.Config) (*state.Store, error) {
	o := cfg.State
	o.Known = a.states[o.Path]
	store, err := state.Open(o)
	if err != nil {
		return nil, err
	}
	a.remember(store)
	return store, checkReserved(cfg, store)
}

// remember notes what a state is like.
func (a *App) remember(store *state.Store) {
	if m := store.Mark(); m != nil {
		a.states[store.Path()] = m
	}
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

// load reads the configuration and opens the state.
func (a *App) load() (*config.Config, *state.Store, error) {
	cfg, err := a.config()
	if err != nil {
		return nil, nil, err
	}
	store, err := state.Open(cfg.State)
	return cfg, store, err
}

// config reads the configuration, and makes sure that there is room for what it asks.
func (a *App) config() (*config.Config, error) {
	cfg, err := config.Load(a.o.Config)
	if err != nil {
		return nil, err
	}
	return cfg, checkSpace(cfg, spaceLimit())
}

// prepare loads what a run needs and checks what is asked of it.
func (a *App) prepare(r Request) (*config.Config, *state.Store, sync.Request, error) {
	cfg, err := a.config()
	if err != nil {
		return nil, nil, sync.Request{}, err
	}
	store, err := a.open(cfg)
	if err != nil {
		return nil, nil, sync.Request{}, err
	}
	request, err := r.check(cfg)
	return cfg, store, request, err
}

// client returns a client for the configured Gleap. An embedded sandbox comes back
// too; stop ends it.
func (a *App) client(cfg *config.Config) (c *gleap.Client, embedded *sandbox.Sandbox, stop func(), err error) {
	o := cfg.Gleap
	o.Version, o.Log = a.o.Version, a.log
	stop = func() {}
	if cfg.Sandbox {
		if embedded, o.BaseURL, o.Token, stop, err = startSandbox(o.Rate, o.Window); err != nil {
			return nil, nil, nil, err
		}
	} else if o.Token, err = cfg.Token(); err != nil {
		return nil, nil, nil, err
	}
	if path := cfg.TokenIsOpen(); path != "" {
		a.log.Warn("everybody on this machine may read the file with the API token: take that right away with chmod o-r", "file", path)
	}
	c, err = gleap.New(o)
	return c, embedded, stop, err
}

// watch draws a run's progress where there is a terminal.
func (a *App) watch() func(sync.Progress) {
	if a.bar == nil {
		return nil
	}
	return a.bar.Show
}

// print writes a result in the form that was asked for.
func (a *App) print(result any, asText func(io.Writer)) error {
	a.Close()
	if !a.o.JSON {
		var text bytes.Buffer
		asText(&text)
		_, err := a.o.Out.Write(text.Bytes())
		return err
	}
	encoder := json.NewEncoder(a.o.Out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(result)
}

// Plan shows what a sync would do.
func (a *App) Plan(ctx context.Context, r Request) (runs.Report, error) {
	cfg, store, request, err := a.prepare(r)
	if err != nil {
		return runs.Report{}, err
	}
	report, err := sync.New(cfg.Sync, store, nil, a.log, a.watch()).Plan(ctx, request)
	if err != nil {
		return report, err
	}
	return report, a.print(report, func(w io.Writer) { console.Plan(w, report, cfg.Sync.Rate, cfg.Sync.Window) })
}

// Sync sends what changed, and shows the report whatever the error.
func (a *App) Sync(ctx context.Context, r Request) (runs.Report, error) {
	cfg, err := a.config()
	if err != nil {
		return runs.Report{}, err
	}
	request, err := r.check(cfg)
	if err != nil {
		return runs.Report{}, err
	}
	report, embedded, err := a.sync(ctx, cfg, request, a.watch())
	return report, a.printRun(report, embedded, err)
}

// Retire tells an attribute's members that they are none any more, and forgets it.
func (a *App) Retire(ctx context.Context, key string) (runs.Report, error) {
	cfg, store, err := a.load()
	if err != nil {
		return runs.Report{}, err
	}
	return a.send(cfg, store, func(runner *sync.Runner) (runs.Report, error) { return runner.Retire(ctx, key) })
}

// send carries out a run that makes calls, and shows its report.
func (a *App) send(cfg *config.Config, store *state.Store, run func(*sync.Runner) (runs.Report, error)) (runs.Report, error) {
	report, embedded, err := a.call(cfg, store, a.watch(), run)
	return report, a.printRun(report, embedded, err)
}

// call carries out a run that makes calls.
func (a *App) call(cfg *config.Config, store *state.Store, watch func(sync.Progress), run func(*sync.Runner) (runs.Report, error)) (runs.Report, *sandbox.Sandbox, error) {
	client, embedded, stop, err := a.client(cfg)
	if err != nil {
		return runs.Report{}, nil, err
	}
	defer stop()
	defer client.Close()
	defer a.remember(store)
	report, err := run(sync.New(cfg.Sync, store, client, a.log, watch))
	return report, embedded, err
}

// Baseline takes the exports as delivered.
func (a *App) Baseline(ctx context.Context, r Request) (runs.Report, error) {
	cfg, store, request, err := a.prepare(r)
	if err != nil {
		return runs.Report{}, err
	}
	report, err := sync.New(cfg.Sync, store, nil, a.log, a.watch()).Baseline(ctx, request)
	return report, a.printRun(report, nil, err)
}

// Forget deletes contacts here and in Gleap.
func (a *App) Forget(ctx context.Context, userIDs []string) error {
	for _, id := range userIDs {
		if id == "" || len(id) > engage.MaxUserID || !utf8.ValidString(id) {
			return &UsageError{fmt.Errorf("a user id has 1 to %d bytes of UTF-8", engage.MaxUserID)}
		}
	}
	cfg, store, err := a.load()
	if err != nil {
		return err
	}
	client, _, stop, err := a.client(cfg)
	if err != nil {
		return err
	}
	defer stop()
	defer client.Close()
	f, err := sync.New(cfg.Sync, store, client, a.log, nil).Forget(ctx, userIDs)
	if f.Forgotten == 0 {
		return err
	}
	return errors.Join(err, a.print(f, func(w io.Writer) { console.Forgotten(w, f) }))
}

// printRun shows a run's report, if the run began, and returns its error.
func (a *App) printRun(report runs.Report, embedded *sandbox.Sandbox, err error) error {
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
		console.Sync(w, report)
		if embedded != nil {
			console.Sandbox(w, embedded)
		}
	}))
}
