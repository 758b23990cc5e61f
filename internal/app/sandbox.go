package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"gleapsync/gleap"
	"gleapsync/gleap/sandbox"
	"gleapsync/internal/console"
	"gleapsync/internal/secret"
)

type sandboxCmd struct {
	Listen  string        `help:"Address to listen on, loopback only; ${default} if left out." default:"127.0.0.1:8089" placeholder:"ADDRESS"`
	Token   string        `help:"The API token to take; any if left out." env:"GLEAPSYNC_SANDBOX_TOKEN" placeholder:"TOKEN"`
	Rate    int           `help:"Requests that a window allows; 0 for no limit." default:"1000"`
	Window  time.Duration `help:"Window of the rate limit." default:"60s"`
	Latency time.Duration `help:"Time that every answer takes." default:"0s"`
	Fault   []string      `help:"Share of the requests that go wrong: 429=5%, 500=1%, reset=1%, lost=1% (the answer alone is lost); may be repeated." placeholder:"KIND=SHARE"`
	Refuse  []string      `help:"Refuse this contact with a 400, so that it is parked; may be repeated." placeholder:"ID" sep:"none"`
	Seed    uint64        `help:"Seed of the faults." default:"1"`
}

// Run serves a sandbox until ctx ends, then shows what it received.
func (c *sandboxCmd) Run(ctx context.Context, a *App) error {
	fault, err := sandbox.ParseFaults(c.Fault, c.Seed)
	if err != nil {
		return &UsageError{err}
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil || !gleap.IsLoopback("http://"+net.JoinHostPort(host, "0")) {
		return &UsageError{errors.New("--listen takes an address on loopback, such as 127.0.0.1:8089")}
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("start the sandbox: %w", err)
	}
	a.Close()
	fmt.Fprintf(a.out, "A sandbox of Gleap listens on http://%s\nSee /sandbox/contacts, /sandbox/events and /sandbox/counts; end it with Ctrl-C.\n", listener.Addr())
	s := sandbox.New(sandbox.Options{Token: c.Token, Rate: c.Rate, Window: c.Window, Latency: c.Latency, Fault: fault, Refuse: c.Refuse})
	server := sandboxServer(s)
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the sandbox: %w", err)
	}
	console.Sandbox(a.out, s)
	return nil
}

// startSandbox starts a sandbox of this process's own, and leads a client to it.
func startSandbox(o *gleap.Options) (s *sandbox.Sandbox, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("start the sandbox: %w", err)
	}
	o.BaseURL, o.Token = "http://"+listener.Addr().String(), secret.Text(rand.Text())
	s = sandbox.New(sandbox.Options{Token: string(o.Token), Rate: o.Rate, Window: o.Window})
	server := sandboxServer(s)
	go func() { _ = server.Serve(listener) }()
	return s, func() { server.Close() }, nil
}

// sandboxServer says nothing of connections that a fault broke.
func sandboxServer(s *sandbox.Sandbox) *http.Server {
	return &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
}
