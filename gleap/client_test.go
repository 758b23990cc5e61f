package gleap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gleapsync/internal/attr"
)

func options(url string) Options {
	return Options{
		BaseURL: url, Token: "secret-token", Rate: 1000, Window: time.Minute, Concurrency: 4,
		Timeout: 30 * time.Second, GiveUp: 15 * time.Minute, Version: "test", Log: slog.New(slog.DiscardHandler),
	}
}

func newClient(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// roundTrip is a transport without a network, for tests in a bubble.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, header map[string]string, body string) *http.Response {
	h := http.Header{}
	for k, v := range header {
		h.Set(k, v)
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

var vip = &Contact{UserID: []byte("u1"), Attributes: []Attribute{{"vip", attr.OfBool(true)}}}

// TestRegion: the host that was asked is named where its token is refused.
func TestRegion(t *testing.T) {
	for base, host := range map[string]string{EU: "api.gleap.io", US: "api.us.gleap.ai"} {
		c := newClient(t, options(base))
		c.transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host != host {
				t.Errorf("%s was asked", r.URL)
			}
			return answer(401, nil, ""), nil
		})
		err := c.Authenticate(t.Context())
		if want := "(401 Unauthorized): check that it is the secret API token of this project, in Gleap under Project settings, and that gleap.region is the project's: " + host + " was asked"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v", err)
		}
	}
}

func TestBaseURL(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://api.gleap.io": true, "http://127.0.0.1:8080": true, "http://localhost": true, "http://[::1]:80": true,
		"http://api.gleap.io": false, "http://127.0.0.1.evil.io": false, "http://localhost.evil.io": false,
		"ftp://x": false, "api.gleap.io": false, "": false, "https://user:pass@x": false, "https://x?a=b": false,
	} {
		if _, err := New(options(url)); (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestRequest(t *testing.T) {
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r }))
	defer server.Close()
	check := func(o Options, contact *Contact, wantQuery string) {
		t.Helper()
		if err := newClient(t, o).Identify(context.Background(), contact); err != nil {
			t.Fatal(err)
		}
		if got.Method != "POST" || got.URL.Path != "/admin/identify" || got.URL.RawQuery != wantQuery ||
			got.Header.Get("Api-Token") != "secret-token" || got.UserAgent() != "gleapsync/test" || got.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %v", got.Method, got.URL, got.Header)
		}
	}
	o := options(server.URL)
	check(o, vip, "preventLastActivityUpdate=true")
	check(o, &Contact{UserID: []byte("u1"), Fields: []FieldText{{LastActivity, []byte("2026-03-01T00:00:00Z")}}}, "")
	o.UpdateLastActivity = true
	check(o, vip, "")
}

// TestBusy: the check of the token does not wait long for its turn, and says for how long it
// would have to.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, options("https://api.gleap.io"))
		c.transport = roundTrip(func(*http.Request) (*http.Response, error) { return answer(200, nil, "{}"), nil })
		now := c.moment()
		c.Resume(newHistory([]past{{45 * time.Second, 10}, {20 * time.Second, 990}}, now))
		var busy *BusyError
		if err := c.Authenticate(t.Context()); !errors.As(err, &busy) || busy.Wait.Round(time.Second) != 15*time.Second || c.Counts().Requests > 0 {
			t.Errorf("%v", err)
		}
		if wait := c.Wait(); wait.Round(time.Second) != 15*time.Second {
			t.Errorf("it waits for %s", wait)
		}
		time.Sleep(11 * time.Second)
		if err := c.Authenticate(t.Context()); err != nil || c.Counts().Requests != 1 {
			t.Error(err)
		}
	})
}

func TestDelete(t *testing.T) {
	known := map[string]bool{"u1": true, "a/b?c#d é%2F": true, "..": true}
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := strings.CutPrefix(r.URL.EscapedPath(), "/admin/contacts/")
		id, err := url.PathUnescape(name)
		asked = append(asked, name)
		if r.Method != http.MethodDelete || !ok || strings.Contains(name, "/") || err != nil || r.URL.RawQuery != "" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		if !known[id] {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	c := newClient(t, options(server.URL))
	for _, id := range []string{"u1", "a/b?c#d é%2F", "..", "nobody"} {
		if deleted, err := c.Delete(t.Context(), id); err != nil || deleted != known[id] {
			t.Errorf("%q: %v, %v", id, deleted, err)
		}
	}
	if asked[2] != "%2E%2E" {
		t.Errorf("the address of .. is %s", asked[2])
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("a request went to another host with the token %q", r.Header.Get("Api-Token"))
	}))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	var stop *StopError
	if err := newClient(t, options(server.URL)).Identify(context.Background(), vip); !errors.As(err, &stop) {
		t.Errorf("got %v", err)
	}
}

// TestEndlessAnswer: of an answer that does not end nobody knows what it says.
func TestEndlessAnswer(t *testing.T) {
	o := options(EU)
	o.GiveUp = 0
	c := newClient(t, o)
	for status, want := range map[int]any{200: new(*UnreachableError), 422: new(*RefusedError)} {
		c.transport = roundTrip(func(*http.Request) (*http.Response, error) {
			return answer(status, nil, `{"id":"`+strings.Repeat("1", 1<<20)), nil
		})
		if err := c.Identify(t.Context(), vip); !errors.As(err, want) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// TestRetries: whatever goes wrong at first, the call goes through, and no attempt
// comes before Gleap wants it.
func TestRetries(t *testing.T) {
	type step func() (*http.Response, error)
	status := func(status int, header map[string]string) step {
		return func() (*http.Response, error) { return answer(status, header, ""), nil }
	}
	ok := status(200, nil)
	for name, test := range map[string]struct {
		steps   []step
		atLeast time.Duration
		counts  Counts
	}{
		"at once":     {[]step{ok}, 0, Counts{}},
		"500":         {[]step{status(500, nil), status(502, nil), ok}, 0, Counts{Retried: 2}},
		"429":         {[]step{status(429, nil), ok}, 0, Counts{Retried: 1, RateLimited: 1}},
		"Retry-After": {[]step{status(429, map[string]string{"Retry-After": "40"}), ok}, 40 * time.Second, Counts{Retried: 1, RateLimited: 1}},
		"connection":  {[]step{func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, ok}, 0, Counts{Retried: 1}},
		"broken off": {[]step{func() (*http.Response, error) {
			r := answer(200, nil, "")
			r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"id"`), brokenReader{}))
			return r, nil
		}, ok}, 0, Counts{Retried: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, options("https://api.gleap.io"))
				var bodies []string
				c.transport = roundTrip(func(r *http.Request) (*http.Response, error) {
					body, _ := io.ReadAll(r.Body)
					bodies = append(bodies, string(body))
					return test.steps[len(bodies)-1]()
				})
				begin := time.Now()
				if err := c.Identify(t.Context(), vip); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begin); took < test.atLeast {
					t.Errorf("it took %s", took)
				}
				test.counts.Requests = len(test.steps)
				if c.Counts() != test.counts || len(bodies) != len(test.steps) {
					t.Errorf("%+v after %d requests", c.Counts(), len(bodies))
				}
				for _, body := range bodies {
					if body != `{"userId":"u1","vip":true}` {
						t.Errorf("body %s", body)
					}
				}
			})
		})
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestIncident05RetriesOf429: retries of 429 answers all came back within the same
// minute, and Retry-After was ignored. Here one answer with it holds all workers back.
func TestIncident05RetriesOf429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, options("https://api.gleap.io"))
		begin := time.Now()
		var early atomic.Int64
		c.transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			if time.Since(begin) < 30*time.Second {
				early.Add(1)
				time.Sleep(time.Second)
				return answer(429, map[string]string{"Retry-After": "30"}, ""), nil
			}
			return answer(200, nil, ""), nil
		})
		done := make(chan error)
		const workers = 4
		for i := range workers {
			go func() {
				contact := *vip
				contact.UserID = fmt.Append(nil, i)
				done <- c.Identify(t.Context(), &contact)
			}()
		}
		for range workers {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if early.Load() > workers {
			t.Errorf("%d requests came while Gleap asked to wait", early.Load())
		}
	})
}

func TestFinalErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		identify := func(status int) error {
			c := newClient(t, options("https://api.gleap.io"))
			c.transport = roundTrip(func(*http.Request) (*http.Response, error) { return answer(status, nil, "secret-body"), nil })
			return c.Identify(t.Context(), vip)
		}
		var refused *RefusedError
		if err := identify(422); !errors.As(err, &refused) || refused.Status != 422 {
			t.Errorf("422: %v", err)
		}
		var stop *StopError
		if err := identify(401); !errors.As(err, &stop) || strings.Contains(err.Error(), "secret-") {
			t.Errorf("401: %v", err)
		}
		begin := time.Now()
		var unreachable *UnreachableError
		if err := identify(503); !errors.As(err, &unreachable) || unreachable.Last != "503 Service Unavailable" {
			t.Errorf("503 for ever: %v", err)
		}
		if took := time.Since(begin); took < 15*time.Minute || took > 16*time.Minute {
			t.Errorf("it gave up after %s", took)
		}
	})
}

// TestCancelled: a cancelled call ends while it waits, but not while its request is
// on the way.
func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, options("https://api.gleap.io"))
		ctx, cancel := context.WithCancel(t.Context())
		c.transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			cancel()
			select {
			case <-time.After(2 * time.Second):
				return answer(200, nil, ""), nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})
		if err := c.Identify(ctx, vip); err != nil {
			t.Errorf("the request on its way was lost: %v", err)
		}
		if err := c.Identify(ctx, vip); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrNotTaken) {
			t.Errorf("a cancelled call: %v", err)
		}
	})
}

func TestTokenIsNeverPrinted(t *testing.T) {
	o := options("https://api.gleap.io")
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", o.Token, "options", o.Token)
	text, _ := o.Token.MarshalText()
	all := fmt.Sprintf("%v %+v %#v %s %q ", o, o, o.Token, o.Token, o.Token) + log.String() + string(text)
	if strings.Contains(all, "secret") {
		t.Errorf("the token shows: %s", all)
	}
}

func TestParseToken(t *testing.T) {
	if token, err := ParseToken(" abc\n"); err != nil || token != "abc" {
		t.Errorf("%q, %v", string(token), err)
	}
	for _, text := range []string{"", " \n", "two words", "ü"} {
		if _, err := ParseToken(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
