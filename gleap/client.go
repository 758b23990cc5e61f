package gleap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options are a client's settings.
type Options struct {
	BaseURL            string // such as https://api.gleap.io; http only to loopback
	Token              Token
	Rate               int           // requests per Window, retries included; 0: no limit
	Window             time.Duration // of the rate limit
	Concurrency        int           // connections that are kept
	Timeout            time.Duration // of one attempt
	GiveUp             time.Duration // how long nothing may go through
	UpdateLastActivity bool          // let Gleap set the contacts' last activity to now
	Version            string        // of gleapsync, for the User-Agent
	Log                *slog.Logger
}

// Client calls Gleap. Its methods may be called by several goroutines.
type Client struct {
	o     Options
	base  *url.URL
	http  *http.Client
	pacer *pacer

	identifyURL, identifyQuietlyURL string

	retried, limited atomic.Int64

	mu           sync.Mutex
	failingSince time.Time // zero: the last answer was one
}

// Counts says what a client did beside the calls that it was asked for.
type Counts struct {
	Retried     int // attempts after the first
	RateLimited int // answers with status 429
}

// New returns a client. The error says what is wrong with the base URL.
func New(o Options) (*Client, error) {
	base, err := parseBaseURL(o.BaseURL)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: min(10*time.Second, o.Timeout)}
	c := &Client{
		o:     o,
		base:  base,
		pacer: newPacer(o.Rate, o.Window),
		http: &http.Client{
			Timeout: o.Timeout,
			// Go would send the token's header along to another host.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy:                 http.ProxyFromEnvironment,
				DialContext:           dialer.DialContext,
				TLSHandshakeTimeout:   min(10*time.Second, o.Timeout),
				ResponseHeaderTimeout: o.Timeout,
				IdleConnTimeout:       90 * time.Second,
				MaxIdleConns:          o.Concurrency,
				MaxIdleConnsPerHost:   o.Concurrency,
				ForceAttemptHTTP2:     true,
			},
		},
	}
	c.identifyURL = base.JoinPath("admin", "identify").String()
	c.identifyQuietlyURL = c.identifyURL + "?preventLastActivityUpdate=true"
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
	return c.call(ctx, http.MethodPost, target, contact.AppendJSON(nil), c.o.GiveUp)
}

// Delete deletes a contact and reports whether there was one.
func (c *Client) Delete(ctx context.Context, userID string) (deleted bool, err error) {
	name := url.PathEscape(userID)
	if strings.Trim(name, ".") == "" { // else it would mean another folder
		name = strings.ReplaceAll(name, ".", "%2E")
	}
	err = c.call(ctx, http.MethodDelete, c.base.JoinPath("admin", "contacts").String()+"/"+name, nil, c.o.GiveUp)
	var refused *RefusedError
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

// checkPatience is how long the check of the token may go without an answer.
const checkPatience = 5 * time.Second

// Authenticate checks the token.
func (c *Client) Authenticate(ctx context.Context) error {
	return c.call(ctx, http.MethodGet, c.base.JoinPath("admin", "auth").String(), nil, min(c.o.GiveUp, checkPatience))
}

// Counts returns the counts so far.
func (c *Client) Counts() Counts {
	return Counts{Retried: int(c.retried.Load()), RateLimited: int(c.limited.Load())}
}

// Seen returns what Gleap has seen of this client within the window of the rate limit,
// for the [Client.Resume] of the next one.
func (c *Client) Seen() []Seen { return c.pacer.history(time.Now()) }

// Resume counts in what Gleap has seen of clients before this one, so that the rate
// limit holds across runs.
func (c *Client) Resume(seen []Seen) { c.pacer.resume(seen, time.Now()) }

// call makes attempts until one of them settles the call.
func (c *Client) call(ctx context.Context, method, target string, body []byte, giveUp time.Duration) error {
	for attempt := 0; ; attempt++ {
		t, err := c.pacer.take(ctx)
		if err != nil {
			return err
		}
		if attempt > 0 {
			c.retried.Add(1)
		}
		v := c.attempt(ctx, t, method, target, body)
		t.done()
		if v.acknowledged || v.err != nil {
			c.pacer.recover()
			c.forgetFailures()
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

// attempt sends one request. It does so even if ctx is cancelled meanwhile: a request
// of which nobody knows whether it was applied would have to be sent again.
func (c *Client) attempt(ctx context.Context, t *ticket, method, target string, body []byte) verdict {
	ctx = httptrace.WithClientTrace(context.WithoutCancel(ctx), &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { t.sent() },
	})
	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return verdict{err: errors.New("the request cannot be built")}
	}
	request.Header.Set("Api-Token", string(c.o.Token))
	request.Header.Set("User-Agent", "gleapsync/"+c.o.Version)
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return judgeError(err)
	}
	defer answer.Body.Close()
	const maxAnswer = 1 << 20
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if len(text) == maxAnswer {
		text = nil // nobody can judge it
	}
	if err != nil && answer.StatusCode < 300 {
		return verdict{cause: "an answer that ends early"}
	}
	return judge(answer.StatusCode, answer.Header, text, time.Now())
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
func (c *Client) Close() { c.http.CloseIdleConnections() }

// ParseToken takes a token as it stands in a file or variable.
func ParseToken(text string) (Token, error) {
	text = strings.TrimSpace(text)
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("the API token is empty or holds blanks or other characters that no token has")
	}
	return Token(text), nil
}
