package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	stdsync "sync"
	"testing"
	"testing/synctest"
	"time"

	"gleapsync/internal/config"
	"gleapsync/internal/runs"
	"gleapsync/internal/secret"
)

// receiver keeps the requests that it gets.
type receiver struct {
	mu     stdsync.Mutex
	got    []string // method, path and query, in order
	bodies []string
	answer func(w http.ResponseWriter, n int) // the n-th request; nil: 200
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, request.Method+" "+request.URL.RequestURI())
	if request.Header.Get("User-Agent") != "gleapsync" || len(body) > 0 && request.Header.Get("Content-Type") != "application/json" {
		r.got = append(r.got, "with wrong headers")
	}
	if len(body) > 0 {
		r.bodies = append(r.bodies, string(body))
	}
	if r.answer != nil {
		r.answer(w, len(r.got))
	}
}

// requests returns what came in, sorted: pings and messages go at the same time.
func (r *receiver) requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(slices.Values(r.got))
}

// start serves r until the test ends, and returns options that lead to it.
func (r *receiver) start(t *testing.T) config.Notify {
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return config.Notify{Webhook: secret.Text(server.URL + "/secret-hook"), Ping: secret.Text(server.URL + "/secret-ping?create=1")}
}

// notifier returns one, and what it logs.
func notifier(o config.Notify) (*Notifier, *bytes.Buffer) {
	var logged bytes.Buffer // what the library would log goes to stderr: see TestLibraryIsSilent
	return New(o, "", slog.New(slog.NewTextHandler(&logged, nil))), &logged
}

// TestDelivery: each outcome, as the receivers see it.
func TestDelivery(t *testing.T) {
	for outcome, want := range map[runs.Outcome][]string{
		runs.Complete:    {"GET /secret-ping/start?create=1", "GET /secret-ping?create=1"},
		runs.Partial:     {"GET /secret-ping/start?create=1", "GET /secret-ping?create=1"},
		runs.Failed:      {"GET /secret-ping/fail?create=1", "GET /secret-ping/start?create=1", "POST /secret-hook"},
		runs.Held:        {"GET /secret-ping/fail?create=1", "GET /secret-ping/start?create=1", "POST /secret-hook"},
		runs.Interrupted: {"GET /secret-ping/start?create=1", "POST /secret-hook"},
	} {
		r := &receiver{}
		n, logged := notifier(r.start(t))
		n.Started(t.Context())
		n.Finished(t.Context(), nil, *report(outcome))
		if got := r.requests(); !slices.Equal(got, want) || logged.Len() > 0 {
			t.Errorf("%s: %q, want %q; %s", outcome, got, want, logged)
		}
	}
}

func TestFormats(t *testing.T) {
	for _, slack := range []bool{false, true} {
		r := &receiver{}
		o := r.start(t)
		o.Ping, o.Slack = "", slack
		n, _ := notifier(o)
		n.Finished(t.Context(), report(runs.Complete), *failed("no <token>"))
		if len(r.bodies) != 1 {
			t.Fatalf("%q", r.bodies)
		}
		want := `{"project":"acme","run":"","outcome":"failed","previous_outcome":"complete","recovered":false,"error":"no <token>","held":[],"released":[],"size_changes":[],"text":"acme: the sync failed: no <token>"}`
		if slack {
			want = `{"text":"acme: the sync failed: no &lt;token&gt;"}`
		}
		if got := compact(t, r.bodies[0]); got != compact(t, want) {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

// TestNamed: of one of several projects a message has commands that can be pasted.
func TestNamed(t *testing.T) {
	held := audience("vip", runs.StatusHeld, 0)
	held.Exited, held.Reason = 2, "if that is right, run "+runs.AllowExits("vip", 2)+" once"
	r := &receiver{}
	New(r.start(t), "projects/acme.toml", slog.New(slog.DiscardHandler)).Finished(t.Context(), nil, *report(runs.Held, held))
	const command = "gleapsync sync --config projects/acme.toml --max-exits vip=2"
	if len(r.bodies) != 1 || !strings.Contains(r.bodies[0], `"command":"`+command+`"`) || strings.Count(r.bodies[0], command) != 4 {
		t.Errorf("%s", r.bodies)
	}
}

// compact gives JSON the same form and order, however it is written.
func compact(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	out, _ := json.Marshal(v)
	return string(out)
}

// TestLibraryIsSilent: what it logs holds addresses, and bypasses the logger.
func TestLibraryIsSilent(t *testing.T) {
	if n, _ := notifier(config.Notify{}); n.client.Logger != nil {
		t.Errorf("it logs to %T", n.client.Logger)
	}
}

func TestZeroOptions(t *testing.T) {
	n, logged := notifier(config.Notify{})
	n.client.HTTPClient.Transport = roundTripper(func(*http.Request) (*http.Response, error) {
		t.Error("a request was made")
		return nil, errors.New("no")
	})
	n.Started(t.Context())
	n.Finished(t.Context(), nil, *failed("x"))
	if logged.Len() > 0 {
		t.Error(logged)
	}
}

// TestCancelledContext: a signal has ended the sync; that is told all the same.
func TestCancelledContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := &receiver{}
	n, logged := notifier(r.start(t))
	n.Finished(ctx, nil, *failed("x"))
	if got := r.requests(); len(got) != 2 || logged.Len() > 0 {
		t.Errorf("%q %s", got, logged)
	}
}

// TestRedirectIsNotFollowed: a message goes where the configuration says, and nowhere else.
func TestRedirectIsNotFollowed(t *testing.T) {
	other := &receiver{}
	elsewhere := other.start(t)
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect} {
		r := &receiver{answer: func(w http.ResponseWriter, _ int) {
			w.Header().Set("Location", string(elsewhere.Webhook))
			w.WriteHeader(status)
		}}
		n, logged := notifier(r.start(t))
		n.Finished(t.Context(), nil, *failed("x"))
		if len(r.got) != 2 || len(other.got) != 0 {
			t.Errorf("%q, elsewhere %q", r.got, other.got)
		}
		wantWarnings(t, logged, 2, `reason="status 30`)
	}
}

// TestRefusal: what will not be better the next time is not repeated.
func TestRefusal(t *testing.T) {
	r := &receiver{answer: func(w http.ResponseWriter, _ int) { http.Error(w, "no such hook: secret", http.StatusNotFound) }}
	n, logged := notifier(r.start(t))
	n.Finished(t.Context(), nil, *failed("x"))
	if len(r.got) != 2 {
		t.Errorf("%q", r.got)
	}
	wantWarnings(t, logged, 2, `reason="status 404"`)
}

// TestNoAnswer: after 101 the connection is the body, and nobody waits for its end.
func TestNoAnswer(t *testing.T) {
	r := &receiver{answer: func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusSwitchingProtocols) }}
	n, logged := notifier(r.start(t))
	n.client.RetryMax = 0
	started := time.Now()
	n.Finished(t.Context(), nil, *failed("x"))
	if took := time.Since(started); took > attempt {
		t.Errorf("it took %s", took)
	}
	wantWarnings(t, logged, 2, `reason="status 101, which is no answer"`)
}

// wantWarnings checks that so many warnings have a reason, and that nothing else is logged:
// no address above all.
func wantWarnings(t *testing.T, logged *bytes.Buffer, n int, reason string) {
	t.Helper()
	text := logged.String()
	if strings.Count(text, "\n") != n || strings.Count(text, `level=WARN msg="a notification was not delivered"`) != n || strings.Count(text, reason) != n {
		t.Errorf("want %d warnings with %s, got\n%s", n, reason, text)
	}
	if strings.Contains(text, "secret") || strings.Contains(text, "127.0.0.1") {
		t.Errorf("the log holds an address:\n%s", text)
	}
}

// roundTripper is a transport without a network, for a bubble in which time is not real.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// serve answers with a handler.
func serve(h http.Handler) roundTripper {
	return func(r *http.Request) (*http.Response, error) {
		recorder := httptest.NewRecorder()
		h.ServeHTTP(recorder, r)
		return recorder.Result(), nil
	}
}

// TestRetries: errors of a moment are waited for, others and lasting ones are not, and all
// of it ends after 20 s.
func TestRetries(t *testing.T) {
	status := func(statuses ...int) func(http.ResponseWriter, int) {
		return func(w http.ResponseWriter, n int) { w.WriteHeader(statuses[min(n, len(statuses))-1]) }
	}
	later := func(w http.ResponseWriter, _ int) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	}
	fails := func(err error) roundTripper {
		return func(*http.Request) (*http.Response, error) { return nil, err }
	}
	hangs := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	for name, test := range map[string]struct {
		transport roundTripper
		answer    func(http.ResponseWriter, int)
		requests  int
		took      time.Duration
		reason    string
	}{
		"500 twice":         {nil, status(500, 500, 200), 3, 3 * time.Second, ""},
		"500 for good":      {nil, status(500), 4, 7 * time.Second, `"status 500"`},
		"400":               {nil, status(400), 1, 0, `"status 400"`},
		"429, much later":   {nil, later, 1, 20 * time.Second, "time-out"},
		"no answer":         {hangs, nil, 3, 20 * time.Second, "time-out"},
		"no host":           {fails(&net.DNSError{Err: "no such host", Name: "secret.example"}), nil, 4, 7 * time.Second, `"the host was not found"`},
		"something unknown": {fails(errors.New("https://secret.example/hook")), nil, 4, 7 * time.Second, `"the request failed, or its answer was malformed"`},
	} {
		synctest.Test(t, func(t *testing.T) {
			n, logged := notifier(config.Notify{Webhook: "https://secret.example/hook"})
			r := &receiver{answer: test.answer}
			requests := 0
			n.client.HTTPClient.Transport = roundTripper(func(request *http.Request) (*http.Response, error) {
				requests++
				if test.transport != nil {
					return test.transport(request)
				}
				return serve(r)(request)
			})
			started := time.Now()
			n.Finished(t.Context(), nil, *failed("x"))
			if took := time.Since(started); requests != test.requests || took != test.took {
				t.Errorf("%s: %d requests in %s, want %d in %s", name, requests, took, test.requests, test.took)
			}
			if test.reason == "" {
				wantWarnings(t, logged, 0, "reason")
			} else {
				wantWarnings(t, logged, 1, "to=webhook reason="+test.reason)
			}
			for _, body := range r.bodies {
				if body != r.bodies[0] || !strings.HasPrefix(body, "{") {
					t.Errorf("%s: the bodies differ: %q", name, r.bodies)
				}
			}
		})
	}
}

// TestHangingReceivers: both are told at the same time. A switch that does not answer does
// not hold up the sync, and makes it end 5 s later at most, however long the sync took; a
// signal ends the first ping.
func TestHangingReceivers(t *testing.T) {
	hanging := func(o config.Notify) (*Notifier, *bytes.Buffer) {
		n, logged := notifier(o)
		n.client.HTTPClient.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		return n, logged
	}
	const hook, ping secret.Text = "https://secret.example/hook", "https://secret.example/ping"
	for _, run := range []time.Duration{0, time.Second, startPing, time.Minute} {
		for o, most := range map[config.Notify]time.Duration{{Ping: ping}: 5 * time.Second, {Webhook: hook, Ping: ping}: bound} {
			synctest.Test(t, func(t *testing.T) {
				n, logged := hanging(o)
				begun := time.Now()
				n.Started(t.Context())
				if took := time.Since(begun); took != 0 {
					t.Errorf("the sync begins %s late", took)
				}
				time.Sleep(run)
				ended := time.Now()
				n.Finished(t.Context(), nil, *failed("x"))
				if took := time.Since(ended); took != most {
					t.Errorf("a sync of %s ends %s late, want %s", run, took, most)
				}
				wantWarnings(t, logged, 2+len(o.Webhook)/len(hook), "time-out")
			})
		}
	}
	synctest.Test(t, func(t *testing.T) {
		n, logged := hanging(config.Notify{Ping: ping})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		started := time.Now()
		n.Started(ctx)
		n.Wait()
		if took := time.Since(started); took != time.Second {
			t.Errorf("it took %s after a signal", took-time.Second)
		}
		wantWarnings(t, logged, 1, `to=ping_url reason="the run was interrupted"`)
	})
}

// TestOrderOfPings: the last ping comes after the first one, also if the sync took less time
// than that.
func TestOrderOfPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, logged := notifier(config.Notify{Ping: "https://secret.example/ping"})
		var got []string
		n.client.HTTPClient.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/start") {
				time.Sleep(time.Second)
			}
			got = append(got, r.URL.Path)
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
		})
		n.Started(t.Context())
		n.Finished(t.Context(), nil, *report(runs.Complete))
		if want := []string{"/ping/start", "/ping"}; !slices.Equal(got, want) || logged.Len() > 0 {
			t.Errorf("%q, want %q; %s", got, want, logged)
		}
	})
}

func TestWith(t *testing.T) {
	for text, want := range map[string]string{
		"https://hc-ping.com/uuid":              "https://hc-ping.com/uuid/fail",
		"https://hc-ping.com/uuid/":             "https://hc-ping.com/uuid/fail",
		"https://hc-ping.com/key/slug?create=1": "https://hc-ping.com/key/slug/fail?create=1",
		"https://example.com":                   "https://example.com/fail",
		"https://example.com/a%2Fb":             "https://example.com/a%2Fb/fail",
	} {
		if got := with(secret.Text(text), "fail"); string(got) != want {
			t.Errorf("%s: %s, want %s", text, string(got), want)
		}
	}
}
