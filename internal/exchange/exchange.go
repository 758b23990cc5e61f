package exchange

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// Fault is an error in our own words: nothing in it came from outside.
type Fault string

func (f Fault) Error() string { return string(f) }

// Check passes on what a request came to, with a [Fault] for an answer whose body is not its
// own: after 101 Switching Protocols it is the connection, which no time-out ends.
func Check(answer *http.Response, err error) (*http.Response, error) {
	if err == nil && answer.StatusCode < 200 {
		answer.Body.Close()
		return nil, Fault(fmt.Sprintf("status %d, which is no answer", answer.StatusCode))
	}
	return answer, err
}

// Answers returns a transport whose answers are looked at by [Check].
func Answers(t http.RoundTripper) http.RoundTripper { return answers{t} }

type answers struct{ http.RoundTripper }

func (t answers) RoundTrip(r *http.Request) (*http.Response, error) {
	return Check(t.RoundTripper.RoundTrip(r))
}

// CloseIdleConnections passes on what [http.Client] asks for.
func (t answers) CloseIdleConnections() {
	if c, ok := t.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// ProxyAnswer is for [http.Transport.OnProxyConnectResponse]: it says which status a proxy
// refused a tunnel with.
func ProxyAnswer(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode != http.StatusOK {
		return Fault(fmt.Sprintf("the proxy answered with status %d", answer.StatusCode))
	}
	return nil
}

// Why says what an error of a request is about.
func Why(err error) string {
	var fault Fault
	var timeout net.Error
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var op *net.OpError
	var errno syscall.Errno
	switch {
	case errors.As(err, &fault):
		return fault.Error()
	case errors.Is(err, context.Canceled):
		return "the run was interrupted"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "time-out"
	case errors.As(err, &dns):
		return "the host was not found"
	case errors.As(err, new(x509.HostnameError)):
		return "the certificate is for another host"
	case errors.As(err, &certificate):
		return "the certificate is not trusted"
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the answer"
	case errors.As(err, &op) && op.Op == "remote error":
		return "the server refused the TLS handshake"
	case errors.As(err, new(tls.RecordHeaderError)), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "the server does not speak TLS"
	}
	return "the request failed, or its answer was malformed"
}

// IsPrivateName reports whether a host's name, in lower case, is one that no public name
// server has: without a dot, or in .svc or .local as names in a Kubernetes cluster are.
// Addresses are no names.
func IsPrivateName(host string) bool {
	return !strings.ContainsAny(host, ".@") || strings.HasSuffix(host, ".svc") || strings.HasSuffix(host, ".local")
}
