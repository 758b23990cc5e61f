package gleap

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"

	"gleapsync/internal/exchange"
)

// transport makes of each request one on the wire at most, so that the pacer knows of all
// of them, and takes no answer for that of a request which was not written yet.
//
// It speaks HTTP/1.1: with HTTP/2 a time-out does not take back what is on its way, and
// net/http repeats by itself what a server refuses.
type transport struct {
	base *http.Transport
	rest time.Duration // of a connection before each request: what comes meanwhile is no answer to it
}

func newTransport(o Options) *transport {
	dialer := &net.Dialer{Timeout: min(10*time.Second, o.Timeout)}
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return newConn(c), nil
		},
		OnProxyConnectResponse: exchange.ProxyAnswer,
		TLSHandshakeTimeout:    min(10*time.Second, o.Timeout),
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConns:           o.Concurrency,
		MaxIdleConnsPerHost:    o.Concurrency,
		Protocols:              new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	return &transport{t, rest(o)}
}

// rest is a hundredth of the time for which a connection is needed for each request at most,
// and no more than at the usual rate: what comes late comes later than that in any case.
func rest(o Options) time.Duration {
	if o.Rate == 0 {
		return 0
	}
	return min(25*time.Millisecond, time.Duration(o.Concurrency)*o.Window/time.Duration(100*o.Rate))
}

// RoundTrip sends a request whose GetBody makes its body, if it has one. A connection that
// the server had closed before anything was written is passed over: no request was made.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	for {
		var used *conn
		reused := false
		ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
			used, reused = below(got.Conn), got.Reused
			_, plain := got.Conn.(*conn)
			used.await(t.rest, reused || plain) // the tickets of TLS come on new connections, when they like
		}})
		answer, err := t.base.RoundTrip(once(r.WithContext(ctx)))
		switch {
		case err == nil || used == nil || ctx.Err() != nil:
			return answer, err
		case !used.wrote() && reused: // so this ends: there are only so many that are kept
		case used.ended():
			return nil, io.EOF // net/http has many words for it
		default:
			return nil, err
		}
	}
}

// CloseIdleConnections closes the connections that are kept.
func (t *transport) CloseIdleConnections() { t.base.CloseIdleConnections() }

// once takes from a request what net/http repeats it by: GetBody, and that it has no body,
// since it may repeat those (of an empty body of which it does not know that, it sends
// nothing).
func once(r *http.Request) *http.Request {
	if r.GetBody == nil {
		r.Body = io.NopCloser(strings.NewReader(""))
		return r
	}
	r.Body, _ = r.GetBody()
	r.GetBody = nil
	return r
}

// conn is a connection that knows whether bytes came before a request was written. Its
// reader is one goroutine of net/http that goes on reading while no request is made.
type conn struct {
	net.Conn
	mu      sync.Mutex
	changed *sync.Cond
	reading bool      // whatever came was looked at: the reader waits for more
	closed  bool      // by net/http
	last    time.Time // when something came, or else when it was dialled

	// Since a request is made:
	alert    bool // what comes before it is written is an error
	written  bool // something of the request
	answered bool // something came
	eof      bool
}

func newConn(c net.Conn) *conn {
	n := &conn{Conn: c, last: time.Now()}
	n.changed = sync.NewCond(&n.mu)
	return n
}

// below returns the connection that TLS, of a server or a proxy, goes over.
func below(c net.Conn) *conn {
	for {
		switch over := c.(type) {
		case *conn:
			return over
		case interface{ NetConn() net.Conn }:
			c = over.NetConn()
		}
	}
}

// errUnasked is for an answer that was there before its request.
const errUnasked = exchange.Fault("an answer that was there before its request")

// await gets the connection ready for a request. What came since the last answer may not be
// read yet; once it is, net/http closes the connection as long as no request is made, so
// that is waited for. From then on nothing may come before the request, if alert is set.
func (c *conn) await(rest time.Duration, alert bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if left := rest - time.Since(c.last); left > 0 {
		c.mu.Unlock()
		time.Sleep(left)
		c.mu.Lock()
	}
	for !c.reading && !c.closed {
		c.changed.Wait()
	}
	c.alert, c.written, c.answered, c.eof = alert, false, false, false
}

// wrote reports whether something of the request was written.
func (c *conn) wrote() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.written
}

// ended reports whether the peer closed the connection instead of an answer.
func (c *conn) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.eof && !c.answered
}

func (c *conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	c.reading = true
	c.changed.Broadcast()
	c.mu.Unlock()
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = false
	c.eof = c.eof || err == io.EOF
	if n > 0 {
		c.last, c.answered = time.Now(), true
		if c.alert && !c.written {
			return 0, errUnasked
		}
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return 0, net.ErrClosed
	}
	c.written = true
	c.mu.Unlock()
	return c.Conn.Write(p)
}

func (c *conn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.changed.Broadcast()
	c.mu.Unlock()
	return c.Conn.Close()
}
