package gleap

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

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
