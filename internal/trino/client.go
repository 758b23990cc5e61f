package trino

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gleapsync/internal/cell"
	"gleapsync/internal/exchange"
	"gleapsync/internal/secret"
)

const (
	// patience is how long a server, or what stands before it, may have no time for a request.
	patience = time.Minute
	// requestTimeout is for one request: the server answers within a second, rows or not.
	requestTimeout = time.Minute
	// cancelTimeout is how long the server may take to end a query that is not wanted any more.
	cancelTimeout = 3 * time.Second
	// maxPage is the largest page that is taken. The server makes pages of about 1 MiB; only rows
	// that are longer make it larger.
	maxPage = 4 * cell.MaxRow
)

// client sends requests to one server.
type client struct {
	base   *url.URL
	header http.Header // of each request
	http   *http.Client

	answered bool // the server took a statement
}

// newClient returns a client for a target.
func newClient(t *target, password secret.Text, timeout time.Duration, transport http.RoundTripper) *client {
	header := http.Header{}
	for name, value := range map[string]string{
		"X-Trino-User": t.user, "X-Trino-Catalog": t.catalog, "X-Trino-Schema": t.schema, "X-Trino-Source": "gleapsync", "User-Agent": "gleapsync",
		"X-Trino-Time-Zone": "UTC", "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME", // else times lose what is below a millisecond
		"X-Trino-Session": fmt.Sprintf("query_max_run_time=%dms", max(1, timeout.Milliseconds())),
	} {
		if value != "" {
			header.Set(name, value)
		}
	}
	switch request := (&http.Request{Header: header}); {
	case password == "":
	case t.isToken:
		header.Set("Authorization", "Bearer "+string(password))
	default:
		request.SetBasicAuth(t.user, string(password))
	}
	// Whatever an answer says, nothing goes to another host.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client{base: t.base, header: header, http: &http.Client{Transport: transport, CheckRedirect: stay}}
}

// page is an answer of the server.
type page struct {
	ID      string
	NextURI string
	Columns []column
	Data    []json.RawMessage // rows
	Error   *refusal
	Stats   struct{ State string }
}

type column struct{ Name, Type string }

// statement is one that runs.
type statement struct {
	*client
	id   string
	next string // path of the next page, "": there is none
}

// begin has a statement run, and returns its first page.
func (c *client) begin(ctx context.Context, sql string) (*statement, *page, error) {
	s := &statement{client: c}
	p, err := s.ask(ctx, http.MethodPost, "/v1/statement", sql)
	return s, p, err
}

// read returns the next page, nil behind the last one.
func (s *statement) read(ctx context.Context) (*page, error) {
	if s.next == "" {
		return nil, nil
	}
	return s.ask(ctx, http.MethodGet, s.next, "")
}

// run runs a statement to its end, and returns all pages as one.
func (c *client) run(ctx context.Context, sql string) (all *page, err error) {
	s, all, err := c.begin(ctx, sql)
	defer func() { s.end(ctx) }()
	for err == nil {
		var p *page
		if p, err = s.read(ctx); p == nil {
			break
		}
		if p.Columns != nil {
			all.Columns = p.Columns
		}
		all.Data = append(all.Data, p.Data...)
	}
	return all, err
}

// end cancels the statement, if it still runs.
func (s *statement) end(ctx context.Context) {
	if s.next == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
	defer cancel()
	_, _, _ = s.send(ctx, http.MethodDelete, s.next, "") // the server ends what nobody asks for, after some minutes
	s.next = ""
}

// ask sends a request until it is answered. While the server has no time it is asked again, and
// so it is for a page whose answer broke off: it keeps a page until it was asked for the next one.
func (s *statement) ask(ctx context.Context, method, path, body string) (*page, error) {
	giveUp := time.Now().Add(patience)
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		answer, busy, err := s.send(ctx, method, path, body)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err == nil:
			return s.take(answer, path)
		case !busy || time.Now().Add(wait).After(giveUp):
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// take reads the answer for a path, and what it says of the next one.
func (s *statement) take(answer []byte, path string) (*page, error) {
	p := new(page)
	if err := json.Unmarshal(answer, p); err != nil || p.ID == "" || s.id != "" && p.ID != s.id {
		return nil, errNotTrino
	}
	s.answered, s.id, s.next = true, p.ID, ""
	if p.Error != nil {
		p.Error.query = p.ID
		return nil, p.Error
	}
	if p.NextURI == "" {
		if p.Stats.State != "FINISHED" {
			return nil, exchange.Fault("the server ended the query, which did not finish")
		}
		return p, nil
	}
	next, err := url.Parse(p.NextURI)
	if err != nil || !strings.HasPrefix(next.Path, "/") {
		return nil, errNotTrino
	}
	// The host is the one that was asked: a server behind another one may not know its own name,
	// and the password must not go where an answer says.
	if s.next = next.RequestURI(); s.next == path { // what stands between kept the page before
		return nil, exchange.Fault("the server's answer came twice")
	}
	return p, nil
}

var errNotTrino = exchange.Fault("its answer is none of Trino")

// statusError is an answer without a page.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("it answers with status %d", int(e)) }

// send sends a request once. It reports busy if the same request may have more success later.
func (c *client) send(ctx context.Context, method, path, body string) (answer []byte, busy bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, c.base.String()+path, strings.NewReader(body))
	if err != nil {
		return nil, false, errNotTrino
	}
	r.Header = c.header
	response, err := c.http.Do(r)
	if err != nil {
		return nil, method == http.MethodGet, err // a statement that was sent may run
	}
	defer response.Body.Close()
	switch code := response.StatusCode; code {
	case http.StatusOK:
	case http.StatusNoContent:
		return nil, false, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return nil, true, statusError(code)
	default:
		return nil, false, statusError(code)
	}
	var text bytes.Buffer
	if _, err = io.Copy(&text, io.LimitReader(response.Body, maxPage+1)); err != nil {
		return nil, method == http.MethodGet, err
	}
	if text.Len() > maxPage {
		return nil, false, errLongRow
	}
	return text.Bytes(), false, nil
}

var (
	errLongRow = errors.New("a row is too long")
	errTooLong = errors.New("the query takes too long")
)
