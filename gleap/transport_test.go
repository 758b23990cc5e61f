package gleap

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gleapsync/internal/exchange"
)

// serveRaw gives each connection to a function, which may do with it what no HTTP server
// does, and closes it afterwards. It returns the server's address, of TLS if there is a
// certificate.
func serveRaw(t *testing.T, certificate *tls.Certificate, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	scheme := "http://"
	if certificate != nil {
		l, scheme = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*certificate}}), "https://"
	}
	var open sync.Map
	t.Cleanup(func() {
		l.Close()
		open.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Store(c, nil)
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return scheme + l.Addr().String()
}

// trust makes a client trust a server's certificate, by the settings that change returns.
func trust(c *Client, server *httptest.Server, change func(*tls.Config)) *transport {
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	t := newTransport(c.o)
	t.base.TLSClientConfig = &tls.Config{RootCAs: pool}
	if change != nil {
		change(t.base.TLSClientConfig)
	}
	c.transport = exchange.Answers(t)
	return t
}

// readRequest reads a request whole and returns its method, path and body.
func readRequest(r *bufio.Reader) (string, error) {
	request, err := http.ReadRequest(r)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(request.Body)
	return request.Method + " " + request.URL.Path + " " + string(body), err
}

func contactOf(n int) *Contact {
	c := *vip
	c.UserID = fmt.Append(nil, n)
	return &c
}

// TestOneRequestForATicket: whatever a server does to its connections, it sees no request
// more than tickets were taken, of calls with and without a body.
func TestOneRequestForATicket(t *testing.T) {
	t.Parallel() // it waits
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
	for name, test := range map[string]struct {
		serve func(c net.Conn, r *bufio.Reader, nth func() int)
		exact bool
	}{
		"closes instead of every third answer": {func(c net.Conn, r *bufio.Reader, nth func() int) {
			for {
				if _, err := readRequest(r); err != nil {
					return
				}
				if nth()%3 == 0 {
					return
				}
				io.WriteString(c, ok)
			}
		}, true},
		"resets instead of every third answer": {func(c net.Conn, r *bufio.Reader, nth func() int) {
			for {
				if _, err := readRequest(r); err != nil {
					return
				}
				if nth()%3 == 0 {
					c.(*net.TCPConn).SetLinger(0)
					return
				}
				io.WriteString(c, ok)
			}
		}, true},
		// A request that is written to a connection while it is closed may not be seen.
		"closes after each answer": {func(c net.Conn, r *bufio.Reader, nth func() int) {
			if _, err := readRequest(r); err == nil {
				nth()
				io.WriteString(c, ok)
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var seen atomic.Int64
			address := serveRaw(t, nil, func(c net.Conn) {
				test.serve(c, bufio.NewReader(c), func() int { return int(seen.Add(1)) })
			})
			o := options(address)
			o.Rate = 0
			c := newClient(t, o)
			var workers sync.WaitGroup
			for w := range 4 {
				workers.Go(func() {
					for i := range 5 {
						_, err := c.Delete(t.Context(), "u1")
						if err := errors.Join(err, c.Identify(t.Context(), contactOf(w*10+i)), c.Authenticate(t.Context())); err != nil {
							t.Error(err)
						}
					}
				})
			}
			workers.Wait()
			if n := int(seen.Load()); n < 60 || n > c.Counts().Requests || test.exact && n != c.Counts().Requests {
				t.Errorf("the server saw %d requests; %+v", n, c.Counts())
			}
		})
	}
}

// TestIdleConnections: a connection that the server closed while nobody used it costs no
// ticket and is no failed attempt.
func TestIdleConnections(t *testing.T) {
	t.Parallel() // it waits
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	defer server.Close()
	c := newClient(t, options(server.URL))
	tr := newTransport(c.o)
	tr.rest = 50 * time.Millisecond // in which the end of the connection is noticed
	c.transport = tr
	for i := range 20 {
		if err := c.Identify(t.Context(), contactOf(i)); err != nil {
			t.Fatal(err)
		}
		server.CloseClientConnections()
	}
	if counts := c.Counts(); counts.Requests != 20 {
		t.Errorf("%+v", counts)
	}
}

// TestHTTP1: net/http repeats by itself what an HTTP/2 server refuses with REFUSED_STREAM or
// GOAWAY, so that is not spoken with a server that offers it.
func TestHTTP1(t *testing.T) {
	var seen, second atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if seen.Add(1); r.ProtoMajor == 2 {
			second.Add(1)
			w.Header().Set("Connection", "close") // a GOAWAY
		}
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	c := newClient(t, options(server.URL))
	trust(c, server, nil)
	for i := range 10 {
		if err := c.Identify(t.Context(), contactOf(i)); err != nil {
			t.Fatal(err)
		}
	}
	if int(seen.Load()) != c.Counts().Requests || second.Load() > 0 {
		t.Errorf("%d requests, %d of HTTP/2, %+v", seen.Load(), second.Load(), c.Counts())
	}
}

// TestEveryAnswer: each status, with a body and without, has its verdict, and none hangs.
func TestEveryAnswer(t *testing.T) {
	address := serveRaw(t, nil, func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			request, err := readRequest(r)
			if err != nil {
				return
			}
			var status, body int
			_, id, _ := strings.Cut(request, `"userId":"`)
			fmt.Sscanf(id, "%d-%d", &status, &body)
			text := fmt.Sprintf("HTTP/1.1 %d \r\n", status)
			switch body {
			case 0:
				text += "Content-Length: 0\r\n\r\n"
			case 1:
				text += "Content-Length: 2\r\n\r\n{}"
			case 2: // until the connection is closed, which it never is
				text += "\r\n{}"
			case 3:
				text += "Upgrade: x\r\nConnection: Upgrade\r\n\r\n"
			}
			io.WriteString(c, text)
		}
	})
	o := options(address)
	o.Rate, o.Concurrency, o.Timeout, o.GiveUp = 0, 64, 200*time.Millisecond, 0
	c := newClient(t, o)
	limit := make(chan struct{}, 64)
	var all sync.WaitGroup
	for status := 100; status < 600; status++ {
		for body := range 4 {
			limit <- struct{}{}
			all.Go(func() {
				defer func() { <-limit }()
				begin := time.Now()
				err := c.Identify(t.Context(), &Contact{UserID: fmt.Appendf(nil, "%d-%d", status, body)})
				var refused *RefusedError
				var stop *StopError
				var again *UnreachableError
				want, right := "refused", errors.As(err, &refused) && refused.Status == status
				switch {
				case status < 200 || status == 408 || status == 425 || status == 429 || status >= 500:
					want, right = "again", errors.As(err, &again)
				case status == 204 && body != 3: // has no body, whatever is said
					want, right = "acknowledged", err == nil
				case status < 300 && body >= 2:
					want, right = "again", errors.As(err, &again)
				case status < 300:
					want, right = "acknowledged", err == nil
				case status < 400 || status == 401 || status == 403:
					want, right = "stop", errors.As(err, &stop)
				}
				if status == 204 && body == 3 {
					right = err == nil
				}
				if !right {
					t.Errorf("%d with body %d: %v, want %s", status, body, err, want)
				}
				if took := time.Since(begin); took > 5*time.Second {
					t.Errorf("%d with body %d took %s", status, body, took)
				}
			})
		}
	}
	all.Wait()
}

// TestUntrusted: what repeating cannot mend ends the run at once, with its cause and what to
// do.
func TestUntrusted(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	open := httptest.NewServer(http.NotFoundHandler())
	defer open.Close()
	none := serveRaw(t, nil, func(c net.Conn) { io.WriteString(c, "220 mail ready\r\n"); readRequest(bufio.NewReader(c)) })
	for name, test := range map[string]struct {
		address string
		known   bool // the certificate
		change  func(*tls.Config)
		want    string
	}{
		"unknown authority": {secure.URL, false, nil, "the certificate of 127.0.0.1 is signed by nobody whom this machine trusts: install"},
		"expired": {secure.URL, true, func(c *tls.Config) { c.Time = func() time.Time { return time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC) } },
			"the certificate of 127.0.0.1 has expired, or is not valid yet, by the clock of this machine: look"},
		"other host":  {strings.Replace(secure.URL, "127.0.0.1", "localhost", 1), true, nil, "the certificate of localhost is for other names: look"},
		"plain HTTP":  {strings.Replace(open.URL, "http:", "https:", 1), true, nil, "127.0.0.1 does not speak TLS: look"},
		"no HTTP too": {strings.Replace(none, "http:", "https:", 1), true, nil, "127.0.0.1 does not speak TLS: look"},
	} {
		c := newClient(t, options(test.address))
		if test.known {
			trust(c, secure, test.change)
		}
		err := c.Identify(t.Context(), vip)
		if !errors.As(err, new(*StopError)) || !errors.Is(err, ErrNotTaken) || !strings.HasPrefix(err.Error(), test.want) || c.Counts().Requests != 1 {
			t.Errorf("%s: %v, %+v", name, err, c.Counts())
		}
	}
}

// TestForeignWords: nothing that a server or a proxy writes gets into errors and logs.
func TestForeignWords(t *testing.T) {
	for text, want := range map[string]string{
		"HTTP/1.1 200 OK\r\nContent-Length: secret-token\r\n\r\n":                             "malformed",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: secret-token\r\n\r\n":        "malformed",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: secret-token\r\n\r\n":                          "malformed",
		"HTTP/1.1 200 OK\r\nsecret-token a@secret.io\r\n\r\n":                                 "malformed",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsecret-token\r\n":               "an answer that ends early",
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 12\r\n\r\nsecret-token": "an answer that ends early",
		"HTTP/1.1 secret-token a@secret.io\r\n\r\n":                                           "malformed",
		"secret-token\r\n\r\n": "malformed",
		"HTTP/1.1 500 a@secret.io\r\nContent-Length: 12\r\nX: secret-token\r\n\r\nsecret-body": "500 Internal Server Error",
		"HTTP/1.1 429 a@secret.io\r\nContent-Length: 0\r\nRetry-After: secret-token\r\n\r\n":   "429 Too Many Requests",
		"": "the connection was closed before the answer",
	} {
		address := serveRaw(t, nil, func(c net.Conn) {
			if _, err := readRequest(bufio.NewReader(c)); err == nil {
				io.WriteString(c, text)
			}
		})
		var logged strings.Builder
		o := options(address)
		o.GiveUp, o.Log = 0, slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
		err := newClient(t, o).Identify(t.Context(), vip)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error()+logged.String(), "secret") {
			t.Errorf("%q: %v, want %s; log %s", text, err, want, logged.String())
		}
	}
	proxy := serveRaw(t, nil, func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			io.WriteString(c, "HTTP/1.1 407 secret-token a@secret.io\r\nContent-Length: 0\r\n\r\n")
		}
	})
	o := options("https://gleap.invalid")
	o.GiveUp = 0
	c := newClient(t, o)
	tr := newTransport(o)
	tr.base.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy) }
	c.transport = exchange.Answers(tr)
	if err := c.Identify(t.Context(), vip); err == nil || !strings.HasSuffix(err.Error(), "the proxy answered with status 407") {
		t.Errorf("a proxy: %v", err)
	}
}
