package gleap

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// unasked sends calls to a Gleap that answers each first request of a connection and then
// does something else, and reads nothing more. It returns how many calls are acknowledged,
// and how many of those nobody read.
type unasked struct {
	read sync.Map
	end  chan struct{}
	then func(net.Conn)
}

const (
	anAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"email\":\"a@x.io\"}"
	noBody   = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
)

func (u *unasked) serve(c net.Conn) {
	if request, err := readRequest(bufio.NewReader(c)); err == nil {
		u.read.Store(request, nil)
		u.then(c)
		<-u.end
	}
}

func (u *unasked) call(t *testing.T, c *Client) (acknowledged, wrong int) {
	t.Helper()
	var mu sync.Mutex
	var workers sync.WaitGroup
	for w := range 8 {
		workers.Go(func() {
			for i := range 30 {
				contact := contactOf(100*w + i)
				if err := c.Identify(t.Context(), contact); err != nil {
					continue
				}
				_, ok := u.read.Load("POST /admin/identify " + string(contact.AppendJSON(nil)))
				mu.Lock()
				if acknowledged++; !ok {
					wrong++
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return acknowledged, wrong
}

// TestUnasked: an answer that nobody asked for acknowledges nothing. Two that arrive
// together are not told apart by any clock.
func TestUnasked(t *testing.T) {
	certified := httptest.NewTLSServer(nil)
	defer certified.Close()
	log.SetOutput(io.Discard) // what net/http writes of such answers
	defer log.SetOutput(os.Stderr)
	for _, answer := range []string{anAnswer, noBody} {
		for _, certificate := range []*tls.Certificate{nil, &certified.TLS.Certificates[0]} {
			u := &unasked{end: make(chan struct{}), then: func(c net.Conn) { io.WriteString(c, answer+answer) }}
			o := options(serveRaw(t, certificate, u.serve))
			o.Rate, o.Concurrency, o.GiveUp = 0, 8, 0
			c := newClient(t, o)
			if certificate != nil {
				trust(c, certified, nil)
			}
			if acknowledged, wrong := u.call(t, c); wrong > 0 || acknowledged == 0 {
				t.Errorf("TLS %v: %d of %d calls are acknowledged that nobody read", certificate != nil, wrong, acknowledged)
			}
			close(u.end)
		}
	}
}

// TestUnaskedLater: connections rest before they are used, so what comes within that time
// is no answer to the request after it.
func TestUnaskedLater(t *testing.T) {
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	for name, test := range map[string]struct {
		before string // each request
		then   func(net.Conn)
	}{
		"right after": {"", func(c net.Conn) {
			io.WriteString(c, anAnswer)
			io.WriteString(c, anAnswer)
		}},
		"later": {"", func(c net.Conn) {
			io.WriteString(c, anAnswer)
			time.Sleep(15 * time.Millisecond)
			io.WriteString(c, anAnswer)
		}},
		"in parts": {"", func(c net.Conn) {
			io.WriteString(c, anAnswer+anAnswer[:10])
			time.Sleep(15 * time.Millisecond)
			io.WriteString(c, anAnswer[10:])
		}},
		"before any request": {anAnswer, func(net.Conn) {}},
	} {
		synctest.Test(t, func(t *testing.T) {
			u := &unasked{end: make(chan struct{}), then: test.then}
			o := options("http://localhost")
			o.Rate, o.Concurrency, o.GiveUp = 0, 8, 0
			c := newClient(t, o)
			tr := newTransport(o)
			tr.rest = 20 * time.Millisecond
			tr.base.DialContext = func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				go func() {
					time.Sleep(10 * time.Millisecond)
					io.WriteString(theirs, test.before)
					u.serve(theirs)
					theirs.Close()
				}()
				return newConn(ours), nil
			}
			c.transport = tr
			if acknowledged, wrong := u.call(t, c); wrong > 0 || (acknowledged == 0) != (test.before != "") {
				t.Errorf("%s: %d of %d calls are acknowledged that nobody read", name, wrong, acknowledged)
			}
			tr.CloseIdleConnections()
			close(u.end)
			time.Sleep(time.Second) // until all that sleep have ended
		})
	}
}
