package exchange

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"syscall"
	"testing"
	"time"
)

// TestAnswers: after 101 the body is the connection, which nobody may wait for.
func TestAnswers(t *testing.T) {
	for status, want := range map[int]string{101: "status 101, which is no answer", 200: "", 404: ""} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		client := http.Client{Transport: Answers(&http.Transport{DisableKeepAlives: true}), Timeout: 5 * time.Second}
		begin := time.Now()
		answer, err := client.Get(server.URL)
		if err == nil {
			_, err = io.ReadAll(answer.Body)
			answer.Body.Close()
		}
		if got := err; (got == nil) != (want == "") || got != nil && Why(got) != want {
			t.Errorf("%d: %v, want %q", status, got, want)
		}
		if time.Since(begin) > 4*time.Second {
			t.Errorf("%d took %s", status, time.Since(begin))
		}
		server.Close()
	}
}

// TestWhy: each kind of error in our own words, and nothing of the error's.
func TestWhy(t *testing.T) {
	for want, err := range map[string]error{
		"the run was interrupted":                         context.Canceled,
		"time-out":                                        context.DeadlineExceeded,
		"the host was not found":                          &net.DNSError{Err: "no such host", Name: "secret.example"},
		"the certificate is not trusted":                  &tls.CertificateVerificationError{Err: errors.New("secret")},
		"connection refused":                              &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED},
		"the connection was closed before the answer":     fmt.Errorf("secret: %w", io.ErrUnexpectedEOF),
		"the server refused the TLS handshake":            &net.OpError{Op: "remote error", Err: errors.New("secret")},
		"the proxy answered with status 407":              ProxyAnswer(t.Context(), nil, nil, &http.Response{StatusCode: 407, Status: "407 secret"}),
		"the request failed, or its answer was malformed": errors.New("secret"),
		"a fault": fmt.Errorf("secret: %w", Fault("a fault")),
	} {
		if got := Why(&url.Error{Op: "Get", URL: "https://secret.example", Err: err}); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
}
