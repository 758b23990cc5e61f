package sandbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gleapsync/gleap/sandbox"
)

const token = "secret"

// request makes a request as a client with the right token would.
func request(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Api-Token", token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

func send(s *sandbox.Sandbox, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func identify(s *sandbox.Sandbox, body string) *httptest.ResponseRecorder {
	return send(s, request("POST", "/admin/identify", body))
}

// mustIdentify fails the test where the call is refused.
func mustIdentify(t *testing.T, s *sandbox.Sandbox, body string) {
	t.Helper()
	if w := identify(s, body); w.Code != 200 {
		t.Fatalf("identify %s: %d %s", body, w.Code, w.Body)
	}
}

// refusal returns the error that an answer carries.
func refusal(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var answer struct{ Error string }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("answer %q: %v", w.Body, err)
	}
	return answer.Error
}

func TestRoutes(t *testing.T) {
	tests := []struct {
		name           string
		method, target string
		token          string
		want           int
		allow          string
	}{
		{"auth", "GET", "/admin/auth", token, 200, ""},
		{"wrong token", "GET", "/admin/auth", "guess", 401, ""},
		{"no token", "GET", "/admin/auth", "", 401, ""},
		{"wrong token on an unknown route", "GET", "/nowhere", "guess", 401, ""},
		{"unknown route", "GET", "/nowhere", token, 404, ""},
		{"root", "GET", "/", token, 404, ""},
		{"slash too many", "GET", "/admin/auth/", token, 404, ""},
		{"no user id", "DELETE", "/admin/contacts/", token, 404, ""},
		{"unescaped slash in the user id", "DELETE", "/admin/contacts/a/b", token, 404, ""},
		{"unknown contact", "DELETE", "/admin/contacts/a", token, 404, ""},
		{"wrong method for identify", "GET", "/admin/identify", token, 405, "POST"},
		{"wrong method for track", "PUT", "/admin/track", token, 405, "POST"},
		{"wrong method for auth", "POST", "/admin/auth", token, 405, "GET"},
		{"wrong method for a contact", "GET", "/admin/contacts/a", token, 405, "DELETE"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sandbox.New(sandbox.Options{Token: token})
			r := request(tt.method, tt.target, "")
			r.Header.Set("Api-Token", tt.token)
			w := send(s, r)
			if w.Code != tt.want {
				t.Errorf("status %d, want %d", w.Code, tt.want)
			}
			if got := w.Header().Get("Allow"); got != tt.allow {
				t.Errorf("Allow %q, want %q", got, tt.allow)
			}
			if got := w.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type %q", got)
			}
			if failed := refusal(t, w) != ""; failed != (tt.want != 200) {
				t.Errorf("answer %s with status %d", w.Body, w.Code)
			}
			var want sandbox.Counts
			switch tt.want {
			case 200:
				want = sandbox.Counts{Requests: 1, Auth: 1}
			case 401:
			default:
				want = sandbox.Counts{Requests: 1, Refused: 1}
			}
			if got := s.Counts(); got != want {
				t.Errorf("counts %+v, want %+v", got, want)
			}
		})
	}
}

func TestAnyToken(t *testing.T) {
	s := sandbox.New(sandbox.Options{})
	for given, want := range map[string]int{"": 401, "a": 200, "b": 200} {
		r := request("GET", "/admin/auth", "")
		r.Header.Set("Api-Token", given)
		if w := send(s, r); w.Code != want {
			t.Errorf("token %q: status %d, want %d", given, w.Code, want)
		}
	}
}

// TestDelete sends ids that are trouble in a path through a real client and
// server.
func TestDelete(t *testing.T) {
	s := sandbox.New(sandbox.Options{Token: token})
	srv := httptest.NewServer(s)
	defer srv.Close()
	ids := []string{"u1", "a/b", "/", "..", "100%", "%2F", "a b", "a+b", "a?b#c", "Zoë", "用户", "a;b", "a@x.io"}
	for _, id := range ids {
		body, _ := json.Marshal(map[string]string{"userId": id})
		mustIdentify(t, s, string(body))
	}
	remove := func(id string) int {
		t.Helper()
		r, err := http.NewRequest("DELETE", srv.URL+"/admin/contacts/"+url.PathEscape(id), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Api-Token", token)
		resp, err := http.DefaultTransport.RoundTrip(r) // follows no redirect
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	for i, id := range ids {
		if got := remove(id); got != 200 {
			t.Errorf("DELETE %q: status %d", id, got)
		}
		if _, ok := s.Contact(id); ok {
			t.Errorf("%q is still there", id)
		}
		if got := remove(id); got != 404 {
			t.Errorf("second DELETE %q: status %d", id, got)
		}
		if got, want := s.Counts().Contacts, len(ids)-i-1; got != want {
			t.Fatalf("%d contacts left after %q, want %d", got, id, want)
		}
	}
	if c := s.Counts(); c.Delete != len(ids) || c.Refused != len(ids) {
		t.Errorf("counts %+v", c)
	}

	mustIdentify(t, s, `{"userId":"u1"}`)
	if c, _ := s.Contact("u1"); c.Identified != 1 {
		t.Errorf("a contact that came back was identified %d times", c.Identified)
	}
}

func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandbox.New(sandbox.Options{Token: token, Rate: 1, Latency: 250 * time.Millisecond})
		for _, want := range []int{200, 429, 401} { // every answer
			r := request("POST", "/admin/identify", `{"userId":"u1"}`)
			if want == 401 {
				r.Header.Del("Api-Token")
			}
			start := time.Now()
			if w := send(s, r); w.Code != want {
				t.Errorf("status %d, want %d", w.Code, want)
			}
			if took := time.Since(start); took != 250*time.Millisecond {
				t.Errorf("%d took %v", want, took)
			}
		}
		start := time.Now()
		send(s, request("GET", "/sandbox/counts", ""))
		if took := time.Since(start); took != 0 {
			t.Errorf("the view took %v", took)
		}
	})
}

// TestLatencyAfterArrival wants a request counted when it arrives, and an
// answer in time for a client that has gone.
func TestLatencyAfterArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandbox.New(sandbox.Options{Token: token, Rate: 10, Latency: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() {
			send(s, request("GET", "/admin/auth", "").WithContext(ctx))
			if took := time.Since(start); took != time.Second {
				t.Errorf("waited %v for a client that had gone after a second", took)
			}
		})
		synctest.Wait()
		if c := s.Counts(); c.Requests != 1 || c.PeakInWindow != 1 {
			t.Errorf("not counted on arrival: %+v", c)
		}
	})
}

// TestLatencyEnds is the same over a connection: a server can only be closed
// when no request waits any more.
func TestLatencyEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := sandbox.New(sandbox.Options{
		Latency: time.Hour,
		Fault: func(*http.Request) sandbox.Fault {
			cancel()
			return sandbox.TooManyRequests // leaves the body unread
		},
	})
	srv := httptest.NewServer(s)
	defer srv.Close()
	r, _ := http.NewRequestWithContext(ctx, "POST", srv.URL+"/admin/identify", strings.NewReader(`{"userId":"u1"}`))
	r.Header.Set("Api-Token", token)
	if _, err := srv.Client().Do(r); err == nil {
		t.Error("an answer without the latency")
	}
}

func TestViews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandbox.New(sandbox.Options{
			Token: token, Rate: 3,
			Fault: func(r *http.Request) sandbox.Fault {
				if r.URL.Path == "/admin/auth" {
					return sandbox.ServerError
				}
				return sandbox.None
			},
		})
		mustIdentify(t, s, `{"userId":"b","name":"B & <co>","vip":true,"n":12345678901234567890}`)
		quiet := request("POST", "/admin/identify?preventLastActivityUpdate=true", `{"userId":"a"}`)
		if w := send(s, quiet); w.Code != 200 {
			t.Fatal(w.Body)
		}
		send(s, request("GET", "/admin/auth", ""))

		view := func(method, target string) *httptest.ResponseRecorder {
			return send(s, httptest.NewRequest(method, target, nil))
		}
		tests := []struct{ target, contentType, want string }{
			{"/sandbox/contacts", "application/x-ndjson", `{"user_id":"a","fields":{},"attributes":{},"last_activity":null,"identified":1}
{"user_id":"b","fields":{"name":"B & <co>"},"attributes":{"n":12345678901234567890,"vip":true},"last_activity":"2000-01-01T00:00:00Z","identified":1}
`},
			{"/sandbox/counts", "application/json", `{"requests":3,"identify":2,"track":0,"auth":0,"delete":0,` +
				`"rate_limited":0,"refused":0,"faults":1,"contacts":2,"events":0,"peak_in_window":3}` + "\n"},
		}
		for _, tt := range tests {
			for range 2 { // looking changes nothing
				w := view("GET", tt.target)
				if w.Code != 200 || w.Body.String() != tt.want {
					t.Errorf("GET %s: %d\n%s\nwant\n%s", tt.target, w.Code, w.Body, tt.want)
				}
				if got := w.Header().Get("Content-Type"); got != tt.contentType {
					t.Errorf("GET %s: Content-Type %q", tt.target, got)
				}
			}
		}
		if w := view("GET", "/sandbox/nothing"); w.Code != 404 {
			t.Errorf("unknown view: %d", w.Code)
		}
		if w := view("DELETE", "/sandbox/contacts"); w.Code != 404 {
			t.Errorf("DELETE of a view: %d", w.Code)
		}
	})
}

// TestConcurrent runs every kind of call at once; the race detector watches.
func TestConcurrent(t *testing.T) {
	const workers, rounds = 8, 50
	s := sandbox.New(sandbox.Options{Token: token, Rate: workers * rounds * 4, Window: time.Hour})
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for j := range rounds {
				user := fmt.Sprintf("u%d", j%10)
				for _, r := range []*http.Request{
					request("POST", "/admin/identify", fmt.Sprintf(`{"userId":%q,"w%d":%d,"lastPageView":{"page":"p"}}`, user, i, j)),
					request("POST", "/admin/track", fmt.Sprintf(`{"events":[{"name":"n","userId":%q,"date":"2024-05-01T10:00:00Z"}]}`, user)),
					request("GET", "/admin/auth", ""),
					request("DELETE", fmt.Sprintf("/admin/contacts/gone%d-%d", i, j), ""),
				} {
					if w := send(s, r); w.Code != 200 && r.Method != "DELETE" {
						t.Errorf("%s: %d %s", r.URL, w.Code, w.Body)
					}
				}
				for c := range s.Contacts() {
					clear(c.Attributes) // a copy
					clear(c.Fields["lastPageView"].(map[string]any))
				}
				s.Events()
				s.Counts()
				send(s, request("GET", "/sandbox/contacts", ""))
			}
		})
	}
	wg.Wait()
	const n = workers * rounds
	want := sandbox.Counts{
		Requests: 4 * n, Identify: n, Track: n, Auth: n, Refused: n,
		Contacts: 10, Events: n, PeakInWindow: 4 * n,
	}
	if got := s.Counts(); got != want {
		t.Errorf("counts\n%+v, want\n%+v", got, want)
	}
	for c := range s.Contacts() {
		if len(c.Attributes) != workers || c.Identified != n/10 {
			t.Errorf("%s: %d attributes, identified %d times", c.UserID, len(c.Attributes), c.Identified)
		}
		if !reflect.DeepEqual(c.Fields["lastPageView"], map[string]any{"page": "p"}) {
			t.Errorf("%s: fields %v", c.UserID, c.Fields)
		}
	}
}

func BenchmarkIdentify(b *testing.B) {
	s := sandbox.New(sandbox.Options{Token: token, Rate: 1 << 30})
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		identify(s, fmt.Sprintf(`{"userId":"u%d","email":"a@x.io","first_time_shopper":true,"spent":12.5}`, i%100_000))
	}
}

func BenchmarkLoopback(b *testing.B) {
	srv := httptest.NewServer(sandbox.New(sandbox.Options{Token: token, Rate: 1 << 30}))
	defer srv.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, _ := http.NewRequest("POST", srv.URL+"/admin/identify", strings.NewReader(`{"userId":"u1","first_time_shopper":true}`))
			r.Header.Set("Api-Token", token)
			r.Header.Set("Content-Type", "application/json")
			resp, err := client.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
}
