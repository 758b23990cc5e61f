package gleap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gleapsync/internal/exchange"
	"gleapsync/internal/secret"
)

// Gleap's data regions: a project and its token belong to one of them.
const (
	EU = "https://api.gleap.io"
	US = "https://api.us.gleap.ai"
)

// Options are a client's settings.
type Options struct {
	BaseURL            string // [EU], [US] or another one; http only to loopback
	Token              secret.Text
	Rate               int           // requests per Window, retries included; 0: no limit
	Window             time.Duration // of the rate limit
	Concurrency        int           // connections that are kept
	Timeout            time.Duration // of one attempt
	GiveUp             time.Duration // how long nothing may go through
	UpdateLastActivity bool          // let Gleap set the contacts' last activity to now
	BooleanAs          BooleanAs     // how booleans go out
	Version            string        // of gleapsync, for the User-Agent
	Log                *slog.Logger
	// May is asked before each request: an error ends the call, and no request is made. nil: every
	// request may be made.
	May func() error
}

// Client calls Gleap. Its methods may be called by several goroutines.
type Client struct {
	o         Options
	base      *url.URL
	transport http.RoundTripper // it follows no redirect, which Go would send the token along
	pacer     *pacer
	moment    func() moment

	identifyURL, identifyQuietlyURL, trackURL *url.URL
	getHeader, postHeader                     http.Header

	retried, limited atomic.Int64

	mu           sync.Mutex
	failingSince time.Time // zero: the last answer was one
}

// Counts says what a client did beside the calls that it was asked for.
type Counts struct {
	Requests    int // attempts: each took a ticket
	Retried     int // attempts after the first of a call
	RateLimited int // answers with status 429
}

// New returns a client. The error says what is wrong with the base URL.
func New(o Options) (*Client, error) {
	base, err := parseBaseURL(o.BaseURL)
	if err != nil {
		return nil, err
	}
	c := &Client{
		o:     o,
		base:  base,
		pacer: newPacer(o.Rate, o.Window), moment: thisMoment,
		transport: exchange.Answers(newTransport(o)),
		getHeader: http.Header{
			"Api-Token":  {string(o.Token)},
			"User-Agent": {"gleapsync/" + o.Version},
			"Accept":     {"application/json"},
		},
	}
	c.postHeader = c.getHeader.Clone()
	c.postHeader.Set("Content-Type", "application/json")
	if base.Path == "" {
		base.Path = "/" // else joining makes a relative path
	}
	c.identifyURL, c.trackURL = base.JoinPath("admin", "identify"), base.JoinPath("admin", "track")
	quietly := *c.identifyURL
	quietly.RawQuery = "preventLastActivityUpdate=true"
	c.identifyQuietlyURL = &quietly
	return c, nil
}

// CheckBaseURL returns an error for an address to which the token must not go: it is
// sent over TLS, or to this machine.
func CheckBaseURL(text string) error {
	_, err := parseBaseURL(text)
	return err
}

func parseBaseURL(text string) (*url.URL, error) {
	base, err := url.Parse(text)
	if err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("it takes an address such as https://api.gleap.io")
	}
	switch {
	case base.Scheme == "https":
	case base.Scheme == "http" && isLoopback(base):
	case base.Scheme == "http":
		return nil, fmt.Errorf("the token would go over plain http to %s: use https", base.Hostname())
	default:
		return nil, fmt.Errorf("it has the scheme %q: use https", base.Scheme)
	}
	return base, nil
}

// IsLoopback reports whether an address is on this machine.
func IsLoopback(text string) bool {
	base, err := url.Parse(text)
	return err == nil && isLoopback(base)
}

func isLoopback(base *url.URL) bool {
	ip, err := netip.ParseAddr(base.Hostname())
	return base.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}

// Identify sends one Identify Contact call and returns nil once Gleap acknowledged
// it. See the package documentation for the errors.
func (c *Client) Identify(ctx context.Context, contact *Contact) error {
	target := c.identifyQuietlyURL
	if c.o.UpdateLastActivity || contact.lastActivity() != nil {
		target = c.identifyURL
	}
	return c.call(ctx, http.MethodPost, target, c.o.BooleanAs.rewrite(contact.AppendJSON(make([]byte, 0, 256))), c.o.GiveUp)
}

// Delete deletes a contact and reports whether there was one.
func (c *Client) Delete(ctx context.Context, userID string) (deleted bool, err error) {
	name := url.PathEscape(userID)
	if strings.Trim(name, ".") == "" { // else it would mean another folder
		name = strings.ReplaceAll(name, ".", "%2E")
	}
	target, err := url.Parse(c.base.JoinPath("admin", "contacts").String() + "/" + name)
	if err != nil {
		return false, errors.New("the user id cannot be part of an address")
	}
	err = c.call(ctx, http.MethodDelete, target, nil, c.o.GiveUp)
	var refused *RefusedError
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

// checkPatience is how long the check of the token may go without an answer, or wait for
// its turn before.
const checkPatience = 5 * time.Second

// BusyError is returned by [Client.Authenticate] where others used the rate limit up.
type BusyError struct{ Wait time.Duration } // until something of it is free

func (e *BusyError) Error() string {
	return fmt.Sprintf("what ran before used the rate limit up for another %s", e.Wait.Round(time.Second))
}

// Authenticate checks the token.
func (c *Client) Authenticate(ctx context.Context) error {
	if wait := c.pacer.wait(); wait > checkPatience {
		return &BusyError{wait}
	}
	return c.call(ctx, http.MethodGet, c.base.JoinPath("admin", "auth"), nil, min(c.o.GiveUp, checkPatience))
}

// Wait returns how long it takes until the rate limit lets the next call go, 0 if it may at once.
func (c *Client) Wait() time.Duration { return c.pacer.wait() }

// Counts returns the counts so far.
func (c *Client) Counts() Counts {
	return Counts{Requests: c.pacer.tickets(), Retried: int(c.retried.Load()), RateLimited: int(c.limited.Load())}
}

// Seen returns what Gleap has seen of this client within the window of the rate limit,
// for the [Client.Resume] of the next one.
func (c *Client) Seen() History { return newHistory(c.pacer.history(), c.moment()) }

// Resume counts in what Gleap has seen of clients before this one, so that the rate
// limit holds across runs.
func (c *Client) Resume(h History) { c.pacer.resume(h.past(c.moment())) }

// call makes attempts until one of them settles the call.
func (c *Client) call(ctx context.Context, method string, target *url.URL, body []byte, giveUp time.Duration) error {
	for attempt := 0; ; attempt++ {
		t, err := c.pacer.take(ctx)
		switch {
		case err != nil && attempt == 0:
			return &notTakenError{err}
		case err != nil:
			return err
		}
		if c.o.May != nil {
			if err := c.o.May(); err != nil {
				t.done()
				if attempt == 0 {
					return &notTakenError{err}
				}
				return err
			}
		}
		if attempt > 0 {
			c.retried.Add(1)
		}
		v := c.attempt(ctx, method, target, body)
		t.done()
		if v.acknowledged || v.err != nil {
			c.pacer.recover()
			c.forgetFailures()
			if errors.As(v.err, new(*StopError)) && attempt == 0 {
				return &notTakenError{v.err}
			}
			return v.err
		}
		if v.limited {
			c.limited.Add(1)
		}
		failing := c.failed()
		c.o.Log.Debug("an attempt failed", "attempt", attempt+1, "cause", v.cause)
		if failing >= giveUp {
			c.forgetFailures() // whoever calls again begins anew
			return &UnreachableError{Since: failing, Last: v.cause}
		}
		wait := backoff(attempt)
		if v.limited || v.wait > 0 {
			// What Gleap asks of one request it asks of all.
			c.pacer.pause(max(v.wait, min(wait, giveUp-failing)), v.limited)
		}
		if err := sleep(ctx, min(wait, giveUp-failing)); err != nil {
			return err
		}
	}
}

// answers are buffers for the text of answers.
var answers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// attempt sends one request. It does so even if ctx is cancelled meanwhile: a request
// of which nobody knows whether it was applied would have to be sent again.
func (c *Client) attempt(ctx context.Context, method string, target *url.URL, body []byte) verdict {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.o.Timeout)
	defer cancel()
	answer, err := c.transport.RoundTrip(c.request(ctx, method, target, body))
	if err != nil {
		return judgeError(target.Hostname(), err)
	}
	defer answer.Body.Close()
	const maxAnswer = 1 << 20
	buffer := answers.Get().(*bytes.Buffer)
	defer answers.Put(buffer)
	buffer.Reset()
	_, err = buffer.ReadFrom(io.LimitReader(answer.Body, maxAnswer))
	text := buffer.Bytes()
	if answer.StatusCode < 300 && (err != nil || len(text) == maxAnswer) {
		return verdict{cause: "an answer that ends early, or does not end"}
	}
	return judge(target.Hostname(), answer.StatusCode, answer.Header, text, body, c.o.Token, time.Now())
}

// request builds a request. All share their header, which no transport may change.
func (c *Client) request(ctx context.Context, method string, target *url.URL, body []byte) *http.Request {
	r := &http.Request{
		Method: method, URL: target, Host: target.Host, Header: c.getHeader,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if body != nil {
		r.Header, r.ContentLength = c.postHeader, int64(len(body))
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		r.Body, _ = r.GetBody()
	}
	return r.WithContext(ctx)
}

func (c *Client) forgetFailures() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failingSince = time.Time{}
}

// failed returns for how long nothing has gone through.
func (c *Client) failed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failingSince.IsZero() {
		c.failingSince = time.Now()
	}
	return time.Since(c.failingSince)
}

// Close closes the connections that are kept.
func (c *Client) Close() {
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// ParseToken takes a token as it stands in a file or variable.
func ParseToken(text string) (secret.Text, error) {
	text = strings.TrimSpace(text)
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("the API token is empty or holds blanks or other characters that no token has")
	}
	return secret.Text(text), nil
}
