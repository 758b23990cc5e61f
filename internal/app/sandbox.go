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
)

// startSandbox starts a sandbox of this process's own.
func startSandbox(rate int, window time.Duration) (s *sandbox.Sandbox, address string, token gleap.Token, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", "", nil, fmt.Errorf("start the sandbox: %w", err)
	}
	token = gleap.Token(rand.Text())
	s = sandbox.New(sandbox.Options{Token: string(token), Rate: rate, Window: window})
	server := sandboxServer(s)
	go func() { _ = server.Serve(listener) }()
	return s, "http://" + listener.Addr().String(), token, func() { server.Close() }, nil
}

// sandboxServer says nothing of connections that a fault broke.
func sandboxServer(s *sandbox.Sandbox) *http.Server {
	return &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
}

// ServeSandbox serves a sandbox until ctx ends, then shows what it received.
func (a *App) ServeSandbox(ctx context.Context, address string, o sandbox.Options) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil || !gleap.IsLoopback("http://"+net.JoinHostPort(host, "0")) {
		return &UsageError{errors.New("--listen takes an address on loopback, such as 127.0.0.1:8089")}
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("start the sandbox: %w", err)
	}
	a.Close()
	fmt.Fprintf(a.o.Out, "A sandbox of Gleap listens on http://%s\nSee /sandbox/contacts, /sandbox/events and /sandbox/counts; end it with Ctrl-C.\n", listener.Addr())
	s := sandbox.New(o)
	server := sandboxServer(s)
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the sandbox: %w", err)
	}
	console.Sandbox(a.o.Out, s)
	return nil
}
