package app

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/config"
	"gleapsync/internal/runs"
	"gleapsync/internal/serve"
	"gleapsync/sync"
)

// ServeOptions are what the command line says of serving.
type ServeOptions struct {
	Listen   string        // address of the status page
	AuthFile string        // who may look, "": everybody
	Now      bool          // sync once at start
	Grace    time.Duration // for a run in flight when ctx ends
}

// Serve syncs on the schedule and shows the status page, until ctx ends.
func (a *App) Serve(ctx context.Context, o ServeOptions) error {
	cfg, err := a.loadChecked()
	if err != nil {
		return err
	}
	var auth *serve.Auth
	if o.AuthFile != "" {
		if auth, err = serve.ReadAuth(o.AuthFile); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", o.Listen)
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
		Config: cfg, Now: o.Now, Version: a.o.Version, Log: a.log, Load: a.loadChecked, Reload: reload,
		Run: func(ctx context.Context, cfg *config.Config, watch func(sync.Progress)) (runs.Report, error) {
			report, _, err := a.sync(ctx, cfg, sync.Request{}, watch)
			return report, err
		},
	})
	web := server.Web(auth)
	webEnded := make(chan error, 1)
	go func() { webEnded <- web.Serve(listener) }()
	defer web.Close()
	a.log.Info("serving", "address", "http://"+listener.Addr().String(), "schedule", cfg.Schedule.String())
	return a.serve(ctx, server, webEnded, o.Grace)
}

// serve runs the schedule until ctx ends, and then waits for the run in flight.
func (a *App) serve(ctx context.Context, server *serve.Server, webEnded <-chan error, grace time.Duration) error {
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
	case <-time.After(grace):
		a.log.Warn("the run in flight did not end within the grace period: what it sent last may be sent again")
	}
	return err
}

// loadChecked loads the configuration, if serve can use it, its token and its state.
func (a *App) loadChecked() (*config.Config, error) {
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	for _, e := range cfg.Sync.Exports {
		if e.Source == engage.Stdin {
			return nil, fmt.Errorf("%s has an export with source = %q, which can be read once: serve cannot sync it again and again, name a file or a command", a.o.Config, engage.Stdin)
		}
	}
	if !cfg.Sandbox {
		if _, err := cfg.Token(); err != nil {
			return nil, err
		}
	}
	_, err = a.open(cfg)
	return cfg, err
}
