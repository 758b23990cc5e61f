package app

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/config"
	"gleapsync/internal/runs"
	"gleapsync/internal/serve"
	"gleapsync/sync"
)

type serveCmd struct {
	Listen   string        `help:"Address of the status page, metrics and probes; ${default} if left out." default:"127.0.0.1:8080" placeholder:"ADDRESS"`
	AuthFile string        `help:"File with the users who may look: NAME:HASH lines as htpasswd -B writes them; everybody if left out." placeholder:"PATH"`
	Now      bool          `help:"Sync once at start, before the first slot."`
	Grace    time.Duration `help:"How long a run in flight may take to end after SIGTERM." default:"90s"`
}

// Run syncs on the schedule and shows the status page, until ctx ends.
func (c *serveCmd) Run(ctx context.Context, a *App) error {
	s := newSyncer(a)
	cfg, err := s.loadToServe()
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
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	server := serve.New(serve.Options{
		Config: cfg, Now: c.Now, Version: a.version, Log: a.log, Load: s.loadToServe, Reload: reload,
		Run: func(ctx context.Context, cfg *config.Config, watch func(runs.Progress)) (runs.Report, error) {
			report, _, err := s.sync(ctx, cfg, sync.Request{}, watch)
			return report, err
		},
	})
	web := server.Web(auth)
	webEnded := make(chan error, 1)
	go func() { webEnded <- web.Serve(listener) }()
	defer web.Close()
	a.log.Info("serving", "address", "http://"+listener.Addr().String(), "schedule", slots(cfg.Schedule.String()), "time_zone", cfg.Zone.String())
	return c.serve(ctx, a, server, webEnded)
}

// slots writes a schedule as the configuration has it: without its zone.
func slots(schedule string) string {
	if zone, rest, _ := strings.Cut(schedule, " "); strings.Contains(zone, "TZ=") {
		return rest
	}
	return schedule
}

// serve runs the schedule until ctx ends, and then waits for the run in flight.
func (c *serveCmd) serve(ctx context.Context, a *App, server *serve.Server, webEnded <-chan error) error {
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

// loadToServe loads the configuration, if serve can use it, its token and its state.
func (s *syncer) loadToServe() (*config.Config, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, err
	}
	for _, e := range cfg.Sync.Exports {
		if e.Source == engage.Stdin {
			return nil, fmt.Errorf("%s has an export with source = %q, which can be read once: serve cannot sync it again and again, name a file or a command", s.flags.Config, engage.Stdin)
		}
	}
	if !cfg.Sandbox {
		if _, err := cfg.Token(); err != nil {
			return nil, err
		}
	}
	if err := s.look(context.Background(), cfg); err != nil {
		return nil, err
	}
	_, err = s.open(cfg)
	return cfg, err
}
