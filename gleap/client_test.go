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

func TestBody(t *testing.T) {
	c := Contact{
		UserID: []byte("u\"1"),
		Fields: []FieldText{{Name, []byte("Ada Lovelace")}, {Email, []byte("a@x.io")}, {CompanyID, []byte("7")}, {Value, []byte("12.5")}, {LastPageView, []byte("https://x.io/p")}},
		Attributes: []Attribute{
			{"vip", attr.OfBool(true)}, {"left", attr.OfBool(false)}, {"orders", attr.OfNumber([]byte("3"))},
			{"code", attr.OfString([]byte("007"))}, {"gone", attr.OfNull()},
		},
	}
	const want = `{"userId":"u\"1","name":"Ada Lovelace","email":"a@x.io","companyId":"7","value":12.5,"lastPageView":{"page":"https://x.io/p"},"vip":true,"left":false,"orders":3,"code":"007","gone":null}`
	if got := string(c.AppendJSON(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	c = Contact{UserID: []byte("u1"), Fields: []FieldText{{LastActivity, []byte("2026-03-01T00:00:00Z")}, {LastPageView, []byte("p")}}}
	const dated = `{"userId":"u1","lastActivity":"2026-03-01T00:00:00Z","lastPageView":{"page":"p","date":"2026-03-01T00:00:00Z"}}`
	if got := string(c.AppendJSON(nil)); got != dated {
		t.Errorf("got  %s\nwant %s", got, dated)
	}
}

// TestBooleanAs has the bodies of contacts and events in each form, byte by byte. What only
// looks like a boolean, in a text or a key, stays.
func TestBooleanAs(t *testing.T) {
	contact := Contact{
		UserID: []byte(`true"false\`), Fields: []FieldText{{Name, []byte(`true \"t`)}, {Value, []byte("1e3")}},
		Attributes: []Attribute{
			{"vip", attr.OfBool(true)}, {"true", attr.OfBool(false)}, {"code", attr.OfString([]byte("true"))}, {"f", attr.OfString([]byte(`f"f\`))},
			{"n", attr.OfNumber([]byte("7"))}, {"gone", attr.OfNull()}, {"last", attr.OfBool(true)},
		},
	}
	event := Event{Name: []byte("true"), Date: time.Unix(0, 0), UserID: []byte("f"), Data: []Attribute{{"audience_key", attr.OfString([]byte("vip"))}, {"vip", attr.OfBool(false)}}}
	for form, want := range map[BooleanAs][3]string{
		AsBoolean: {"true", "false", "boolean"}, AsText: {`"true"`, `"false"`, "text"}, AsNumber: {"1", "0", "number"},
	} {
		yes, no := want[0], want[1]
		var body string
		o := options(EU)
		o.BooleanAs = form
		c := newClient(t, o)
		c.transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			text, err := io.ReadAll(r.Body)
			if body = string(text); int64(len(body)) != r.ContentLength {
				t.Errorf("%d bytes for %d", len(body), r.ContentLength)
			}
			return answer(200, nil, "{}"), err
		})
		if err := c.Identify(t.Context(), &contact); err != nil {
			t.Fatal(err)
		}
		if want := `{"userId":"true\"false\\","name":"true \\\"t","value":1e3,"vip":` + yes + `,"true":` + no + `,"code":"true","f":"f\"f\\","n":7,"gone":null,"last":` + yes + `}`; body != want {
			t.Errorf("%s: got\n%s\nwant\n%s", form, body, want)
		}
		if err := c.Track(t.Context(), [][]byte{event.AppendJSON(nil), event.AppendJSON(nil)}); err != nil {
			t.Fatal(err)
		}
		one := `{"name":"true","date":"1970-01-01T00:00:00Z","userId":"f","data":{"audience_key":"vip","vip":` + no + `}}`
		if want := `{"events":[` + one + "," + one + `]}`; body != want {
			t.Errorf("%s: got\n%s\nwant\n%s", form, body, want)
		}
		if form.String() != want[2] {
			t.Errorf("%q is %s", want[2], form)
		}
	}
}

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

func TestClean(t *testing.T) {
	for _, test := range []struct {
		field      Field
		text, want string // "" is refused
	}{
		{Email, "a@x.io", "a@x.io"}, {Email, " a@x.io\n", "a@x.io"}, {Email, "a.b+c@mail.x.io", "a.b+c@mail.x.io"},
		{Email, "a@x", ""}, {Email, "a", ""}, {Email, "a@", ""}, {Email, "@x.io", ""}, {Email, "a b@x.io", ""},
		{Email, "Ada <a@x.io>", ""}, {Email, "<a@x.io>", ""}, {Email, "a@x.io, b@x.io", ""}, {Email, "a@@x.io", ""}, {Email, "a@x.", ""},
		{Value, "12.50", "12.5"}, {Value, "twelve", ""}, {Value, "", ""},
		{CreatedAt, "2026-03-01 12:00:00", "2026-03-01T12:00:00Z"}, {CreatedAt, "1772366400", "2026-03-01T12:00:00Z"}, {LastActivity, "soon", ""},
		{Phone, " 0049 30 ", "0049 30"}, {Plan, "  ", ""},
	} {
		got, ok := test.field.Clean([]byte(test.text))
		if ok != (test.want != "") || ok && string(got) != test.want {
			t.Errorf("%s %q: %q, %v", test.field, test.text, got, ok)
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

func TestJudge(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		status int
		header map[string]string
		body   string
		want   string
	}{
		{100, nil, "", "again: 100 Continue, which is no answer"}, {101, nil, "", "again: 101 Switching Protocols, which is no answer"},
		{200, nil, "", "acknowledged"},
		{200, nil, `{"id":"1"}`, "acknowledged"},
		{204, nil, "", "acknowledged"},
		{200, nil, "OK", "acknowledged"},
		{200, nil, `{"id":`, "again: 200 OK with broken JSON"},
		{200, map[string]string{"Content-Type": "application/json"}, "OK", "again: 200 OK with broken JSON"},
		{200, nil, "<html>Sign in to the network", "again: 200 OK with HTML instead of JSON"},
		{200, map[string]string{"Content-Type": "text/html; charset=utf-8"}, "hello", "again: 200 OK with HTML instead of JSON"},
		{301, nil, "", "stop"}, {302, nil, "", "stop"}, {308, nil, "", "stop"},
		{401, nil, "", "stop"}, {403, nil, "", "stop"},
		{400, nil, "", "refused"}, {404, nil, "", "refused"}, {409, nil, "", "refused"}, {413, nil, "", "refused"}, {422, nil, "", "refused"},
		{408, nil, "", "again: 408 Request Timeout"}, {425, nil, "", "again: 425 Too Early"},
		{429, nil, "", "again: 429 Too Many Requests, limited"},
		{429, map[string]string{"Retry-After": "7"}, "", "again: 429 Too Many Requests, limited, 7s"},
		{429, map[string]string{"Retry-After": "Sun, 01 Mar 2026 00:00:30 GMT"}, "", "again: 429 Too Many Requests, limited, 30s"},
		{429, map[string]string{"Retry-After": "Sat, 01 Mar 2025 00:00:30 GMT"}, "", "again: 429 Too Many Requests, limited"},
		{429, map[string]string{"Retry-After": "99999999999999999999"}, "", "again: 429 Too Many Requests, limited, 5m0s"},
		{429, map[string]string{"Retry-After": "Fri, 01 Mar 2999 00:00:30 GMT"}, "", "again: 429 Too Many Requests, limited, 5m0s"},
		{429, map[string]string{"Retry-After": "-5"}, "", "again: 429 Too Many Requests, limited"},
		{429, map[string]string{"Retry-After": "NaN"}, "", "again: 429 Too Many Requests, limited"},
		{429, map[string]string{"Retry-After": "later"}, "", "again: 429 Too Many Requests, limited"},
		{503, map[string]string{"Retry-After": "2"}, "", "again: 503 Service Unavailable, 2s"},
		{500, nil, "", "again: 500 Internal Server Error"}, {599, nil, "", "again: 599"},
	} {
		header := http.Header{}
		for k, v := range test.header {
			header.Set(k, v)
		}
		v := judge("api.gleap.io", test.status, header, []byte(test.body), nil, "", now)
		got := "again: " + v.cause
		var refused *RefusedError
		switch {
		case v.acknowledged:
			got = "acknowledged"
		case errors.As(v.err, &refused):
			got = "refused"
		case v.err != nil:
			got = "stop"
		}
		if v.limited {
			got += ", limited"
		}
		if v.wait > 0 {
			got += ", " + v.wait.String()
		}
		if got != test.want {
			t.Errorf("%d %v %q: got %s, want %s", test.status, test.header, test.body, got, test.want)
		}
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

// TestDenial: an answer of success that takes itself back is no acknowledgement, unless it
// may be the call's own words that it repeats.
func TestDenial(t *testing.T) {
	const call = `{"userId":"u1","vip":true}`
	for _, test := range []struct{ answer, call, want string }{
		{`{"success":true}`, call, ""},
		{`{"success":false}`, call, "success: false"},
		{` {"id":1,"success" : false}`, call, "success: false"},
		{`{"success":false}`, `{"userId":"u1","success":false}`, ""},
		{`{"success":false,"error":"x"}`, `{"userId":"u1","success":false}`, "an error in it"},
		{`{"error":"no such project"}`, call, "an error in it"},
		{`{"error":{"code":7}}`, call, "an error in it"},
		{`{"error":"x"}`, `{"userId":"u1","error":"x"}`, ""},
		{`{"error":"x"}`, "", "an error in it"},
		{`{"error":null}`, call, ""}, {`{"error":false}`, call, ""}, {`{"error":""}`, call, ""}, {`{"error":[]}`, call, ""},
		{`{"contact":{"error":"x","success":false}}`, call, ""},
		{`[{"error":"x"}]`, call, ""}, {`"error"`, call, ""}, {"", call, ""},
	} {
		v := judge("api.gleap.io", 200, nil, []byte(test.answer), []byte(test.call), "", time.Time{})
		want := verdict{acknowledged: true}
		if test.want != "" {
			want = verdict{cause: "200 OK with " + test.want}
		}
		if v != want {
			t.Errorf("%s to %s: %+v, want %q", test.answer, test.call, v, test.want)
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

func BenchmarkAppendJSON(b *testing.B) {
	c := Contact{UserID: []byte("user-000000001")}
	for i := range 10 {
		c.Attributes = append(c.Attributes, Attribute{fmt.Sprintf("audience_number_%d", i), attr.OfBool(i%2 == 0)})
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = c.AppendJSON(buf[:0])
	}
}
