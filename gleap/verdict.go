package gleap

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"gleapsync/internal/exchange"
	"gleapsync/internal/secret"
)

// RefusedError is returned for a call that Gleap will not take, now or later.
type RefusedError struct {
	Status  int    // of the answer, in HTTP
	Message string // of the answer, with the values of the call masked; "": it has none
	events  bool
}

func (e *RefusedError) Error() string {
	what := "contact"
	if e.events {
		what = "event"
	}
	text := fmt.Sprintf("Gleap refused the %s: %s", what, statusText(e.Status))
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// UnreachableError is returned after no call went through for the time that the
// options allow.
type UnreachableError struct {
	Since time.Duration // how long nothing went through
	Last  string        // what happened last
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("no call went through for %s, the last one ended with: %s", e.Since.Round(time.Second), e.Last)
}

// StopError is returned where no further call can succeed either.
type StopError struct{ Reason string }

func (e *StopError) Error() string { return e.Reason }

// ErrNotTaken is wrapped by the error of a call of which Gleap surely took nothing: its
// context ended before the first request, or the first answer was that of a [*StopError].
var ErrNotTaken = errors.New("nothing was taken")

// notTakenError adds [ErrNotTaken] to an error, and nothing to its text.
type notTakenError struct{ error }

func (e *notTakenError) Is(target error) bool { return target == ErrNotTaken }
func (e *notTakenError) Unwrap() error        { return e.error }

func statusText(status int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
}

// verdict is what an attempt's outcome means.
type verdict struct {
	acknowledged bool
	err          error         // final: not acknowledged and not to be tried again
	cause        string        // what happened, if it is to be tried again
	limited      bool          // by the rate limit
	wait         time.Duration // what Retry-After asks for, 0: nothing
}

// judge decides on an answer of a host that arrived whole; call is the body of the call.
func judge(host string, status int, header http.Header, body, call []byte, token secret.Text, now time.Time) verdict {
	switch {
	case status < 200:
		return verdict{cause: statusText(status) + ", which is no answer"}
	case status < 300:
		if reason := cmp.Or(brokenBody(header, body), denial(body, call)); reason != "" {
			return verdict{cause: statusText(status) + " with " + reason}
		}
		return verdict{acknowledged: true}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		reason := fmt.Sprintf("Gleap refused the API token (%s): check that it is the secret API token of this project, in Gleap under Project settings", statusText(status))
		if status == http.StatusUnauthorized {
			reason += fmt.Sprintf(", and that gleap.region is the project's: %s was asked, and a token of the other region is refused", host)
		}
		return verdict{err: &StopError{reason}}
	case status >= 300 && status < 400:
		return verdict{err: &StopError{fmt.Sprintf("Gleap answered with a redirect (%s), which is not followed: set gleap.base_url to the address of the API itself", statusText(status))}}
	case status == http.StatusTooManyRequests || status >= 500 ||
		status == http.StatusRequestTimeout || status == http.StatusTooEarly:
		return verdict{
			cause:   statusText(status),
			limited: status == http.StatusTooManyRequests,
			wait:    retryAfter(header.Get("Retry-After"), now),
		}
	}
	return verdict{err: &RefusedError{Status: status, Message: message(body, call, token)}}
}

// brokenBody says what shows that an answer of success does not come from Gleap, or
// not all of it. What Gleap answers is not documented, so only HTML (a proxy's page)
// and JSON that does not parse count.
func brokenBody(header http.Header, body []byte) string {
	body = bytes.TrimSpace(body)
	kind := header.Get("Content-Type")
	switch {
	case strings.HasPrefix(kind, "text/html") || bytes.HasPrefix(body, []byte("<")):
		return "HTML instead of JSON"
	case len(body) > 0 && (strings.HasPrefix(kind, "application/json") || body[0] == '{' || body[0] == '[') && !json.Valid(body):
		return "broken JSON"
	}
	return ""
}

// denial says how an answer of success takes itself back: with a success that is false, or
// with an error. Gleap may repeat the contact in its answer, so a key that the call has
// itself means nothing.
func denial(body, call []byte) string {
	var answer map[string]json.RawMessage
	if json.Unmarshal(body, &answer) != nil {
		return "" // no object
	}
	success, failure := string(answer["success"]), string(answer["error"])
	isError := !slices.Contains([]string{"", "null", "false", "0", `""`, "{}", "[]"}, failure)
	if success != "false" && !isError {
		return ""
	}
	var own map[string]json.RawMessage
	_ = json.Unmarshal(call, &own) // a call without a body has no keys
	switch {
	case success == "false" && own["success"] == nil:
		return "success: false"
	case isError && own["error"] == nil:
		return "an error in it"
	}
	return ""
}

// judgeError decides on an attempt at a host that got no whole answer.
func judgeError(host string, err error) verdict {
	if reason := untrusted(host, err); reason != "" {
		return verdict{err: &StopError{reason}}
	}
	return verdict{cause: exchange.Why(err)}
}

// untrusted says why the token must not be sent to a host, if that is the error: no repeat
// can mend it.
func untrusted(host string, err error) string {
	var proxy *net.OpError
	if errors.As(err, &proxy) && proxy.Op == "proxyconnect" {
		host = "the proxy"
	}
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Sprintf("the certificate of %s has expired, or is not valid yet, by the clock of this machine: look at that clock, and at gleap.base_url if it is set", host)
	case errors.As(err, new(x509.HostnameError)):
		return fmt.Sprintf("the certificate of %s is for other names: look at gleap.base_url if it is set, and whether a proxy answers in its place", host)
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return fmt.Sprintf("the certificate of %s is signed by nobody whom this machine trusts: install ca-certificates, or name the file with the signer's certificate in SSL_CERT_FILE", host)
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return fmt.Sprintf("the certificate of %s is not valid: look at gleap.base_url if it is set, and whether a proxy answers in its place", host)
	case errors.As(err, new(tls.RecordHeaderError)) || errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Sprintf("%s does not speak TLS: look at the port of gleap.base_url, and whether a proxy answers in its place", host)
	}
	return ""
}

// maxRetryAfter bounds what an answer can ask for.
const maxRetryAfter = 5 * time.Minute

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		wait = time.Duration(min(max(seconds, 0), maxRetryAfter.Seconds()) * float64(time.Second))
	} else if date, err := http.ParseTime(text); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// backoff returns how long to wait before the next attempt: at random up to a bound
// that doubles each time ("full jitter"), so that what failed together does not come
// back together.
func backoff(attempt int) time.Duration {
	const first, longest = 500 * time.Millisecond, 30 * time.Second
	bound := min(longest, first<<min(attempt, 10))
	return rand.N(bound)
}
