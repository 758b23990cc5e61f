package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/config"
	"gleapsync/internal/inputs"
	"gleapsync/internal/projects"
	"gleapsync/internal/runs"
	"gleapsync/internal/serve"
	"gleapsync/sync"
)

type serveCmd struct {
	Listen   string        `help:"Address of the status page, metrics and probes; ${default} if left out." default:"127.0.0.1:8080" placeholder:"ADDRESS"`
	AuthFile string        `help:"File with the users who may look: NAME:HASH lines as htpasswd -B writes them; everybody if left out." placeholder:"PATH"`
	Now      bool          `help:"Sync once at start, before the first slot."`
	Parallel int           `help:"With several projects: how many are synced at a time. Each takes its sync.memory." default:"2" placeholder:"N"`
	Grace    time.Duration `help:"How long a run in flight may take to end after SIGTERM." default:"90s"`
}

// server syncs, and shows what goes on.
type server interface {
	Serve(context.Context)
	Web(*serve.Auth) *http.Server
}

// Run syncs on the schedule and shows the status page, until ctx ends.
func (c *serveCmd) Run(ctx context.Context, a *App) error {
	if c.Parallel < 1 {
		return &UsageError{errors.New("--parallel takes a count from 1")}
	}
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	newServer := c.ofOne
	if projects.IsPattern(a.flags.Config) {
		newServer = c.ofSeveral
	}
	server, says, err := newServer(a, reload)
	if err != nil {
		return err
	}
	var auth *serve.Auth
	if c.AuthFile != "" {
		if auth, err = serve.ReadAuth(c.AuthFile); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	defer listener.Close()
	if auth == nil && !gleap.IsLoopback("http://"+listener.Addr().String()) {
		a.log.Warn("whoever reaches this address can see the status page: name users with --auth-file", "address", listener.Addr().String())
	}
	web := server.Web(auth)
	webEnded := make(chan error, 1)
	go func() { webEnded <- web.Serve(listener) }()
	defer web.Close()
	a.log.Info("serving", append([]any{"address", "http://" + listener.Addr().String()}, says...)...)
	return c.serve(ctx, a, server, webEnded)
}

// ofOne returns a server of one project, and what the log is to say of it.
func (c *serveCmd) ofOne(a *App, reload <-chan os.Signal) (server, []any, error) {
	s := newSyncer(a)
	cfg, err := s.loadToServe()
	if err != nil {
		return nil, nil, err
	}
	return serve.New(serve.Options{
		Config: cfg, Now: c.Now, Version: a.version, Log: a.log, Load: s.loadToServe, Reload: reload, Run: s.run,
	}), []any{"schedule", slots(cfg.Schedule.String()), "time_zone", cfg.Zone.String()}, nil
}

// ofSeveral returns a server of all projects that --config stands for.
func (c *serveCmd) ofSeveral(a *App, reload <-chan os.Signal) (server, []any, error) {
	a.beside = c.Parallel > 1
	several, err := serve.NewSeveral(serve.SeveralOptions{
		Now: c.Now, AtOnce: c.Parallel, Version: a.version, Log: a.log, Find: a.projects, Reload: reload,
		Job: func(p *projects.Project) serve.Job {
			s := newSyncer(a.of(p))
			return serve.Job{Log: s.log, Usable: s.mayServe, Run: s.run}
		},
	})
	return several, []any{"configurations", a.flags.Config, "parallel", c.Parallel}, err
}

// slots writes a schedule as the configuration has it: without its zone.
func slots(schedule string) string {
	if zone, rest, _ := strings.Cut(schedule, " "); strings.Contains(zone, "TZ=") {
		return rest
	}
	return schedule
}

// serve runs the schedule until ctx ends, and then waits for the run in flight.
func (c *serveCmd) serve(ctx context.Context, a *App, server server, webEnded <-chan error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		server.Serve(ctx)
	}()
	var err error
	select {
	case err = <-webEnded:
		err = fmt.Errorf("serve the status page: %w", err)
		cancel(sync.ErrInterrupted)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	select {
	case <-ended:
	case <-time.After(c.Grace):
		a.log.Warn("the run in flight did not end within the grace period: what it sent last may be sent again")
	}
	return err
}

// run carries out one sync of those of a schedule.
func (s *syncer) run(ctx context.Context, cfg *config.Config, watch func(runs.Progress)) (runs.Report, error) {
	report, _, err := s.sync(ctx, cfg, inputs.Request{}, watch)
	return report, err
}

// loadToServe loads the configuration, if serve can use it.
func (s *syncer) loadToServe() (*config.Config, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, err
	}
	return cfg, s.mayServe(cfg)
}

// mayServe returns an error if serve cannot use a configuration, its token or its state.
func (s *syncer) mayServe(cfg *config.Config) error {
	for _, e := range cfg.Sync.Exports {
		if e.Source == engage.Stdin {
			return fmt.Errorf("%s has an export with source = %q, which can be read once: serve cannot sync it again and again, name a file or a command", cfg.Path, engage.Stdin)
		}
	}
	if !cfg.Sandbox {
		if _, err := cfg.Token(); err != nil {
			return err
		}
	}
	if err := s.look(context.Background(), cfg); err != nil {
		return err
	}
	_, err := s.open(cfg)
	return err
}
