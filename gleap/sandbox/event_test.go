package sandbox_test

import (
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"gleapsync/gleap/sandbox"
)

func track(s *sandbox.Sandbox, body string) *httptest.ResponseRecorder {
	return send(s, request("POST", "/admin/track", body))
}

func TestTrack(t *testing.T) {
	s := sandbox.New(sandbox.Options{Token: token})
	bodies := []string{
		`{"events":[
			{"name":"Audience Entered","date":"2024-05-01T12:00:00+02:00","userId":"u1","data":{"audience_key":"vip","vip":true,"n":12345678901234567890}},
			{"data":{"z":1,"y":2,"x":3,"w":4,"v":5,"u":6,"t":7,"s":8,"r":9,"q":{"deep":{"er":[{}]}},"a":11,"b":12},"userId":"u2","date":"2024-05-01T10:00:00.5Z","name":"$a.b.c$"}
		]}`,
		`{"events":[{"name":"plain","date":"2024-05-01T10:00:00Z","userId":"u1"}]}`,
	}
	for _, body := range bodies {
		if w := track(s, body); w.Code != 200 {
			t.Fatal(w.Code, w.Body)
		}
	}
	at := time.Date(2024, 5, 1, 10, 0, 0, 0, time.UTC)
	num := func(s string) json.Number { return json.Number(s) }
	want := []sandbox.Event{
		{Name: "Audience Entered", UserID: "u1", Date: at,
			Data: map[string]any{"audience_key": "vip", "vip": true, "n": num("12345678901234567890")}},
		{Name: "-a-b-c-", UserID: "u2", Date: at.Add(time.Second / 2),
			Data: map[string]any{"z": num("1"), "y": num("2"), "x": num("3"), "w": num("4"), "v": num("5"), "u": num("6"),
				"t": num("7"), "s": num("8"), "r": num("9"),
				"q": map[string]any{"deep": map[string]any{"er": []any{map[string]any{}}}}}},
		{Name: "plain", UserID: "u1", Date: at, Data: map[string]any{}},
	}
	got := s.Events()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("events\n%v, want\n%v", got, want)
	}
	got[0].Name = "changed"
	if s.Events()[0].Name != "Audience Entered" {
		t.Error("an event was changed through a copy")
	}
	if got, want := s.Counts(), (sandbox.Counts{Requests: 2, Track: 2, Events: 3}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}

func TestTrackRefuses(t *testing.T) {
	const good = `{"name":"n","date":"2024-05-01T10:00:00Z","userId":"u1","data":{}}`
	tests := []struct{ body, want string }{
		{`{}`, "events is missing"},
		{`{"events":[]}`, "events must be"},
		{`{"events":null}`, "events must be"},
		{`{"events":` + good + `}`, "events must be"},
		{`{"events":[` + good + `],"more":1}`, "more must be left out"},
		{`[` + good + `]`, "not one JSON object"},
		{`{"events":[` + good + `]} x`, "not one JSON object"},
		{`{"events":[1]}`, "events[0]: must be an object"},
		{`{"events":[` + good + `,` + good + `,null]}`, "events[2]: must be an object"},
		{`{"events":[` + strings.Replace(good, `"n"`, `""`, 1) + `]}`, "events[0]: name must be"},
		{`{"events":[` + good + `,` + strings.Replace(good, `"n"`, `7`, 1) + `]}`, "events[1]: name must be"},
		{`{"events":[` + good + `,` + strings.Replace(good, `"name"`, `"event"`, 1) + `]}`, "events[1]: event must be left out"},
		{`{"events":[` + good + `,{"date":"2024-05-01T10:00:00Z","userId":"u1"}]}`, "events[1]: name is missing"},
		{`{"events":[` + good + `,{"name":"n","userId":"u1"}]}`, "events[1]: date is missing"},
		{`{"events":[` + good + `,{"name":"n","date":"2024-05-01T10:00:00Z"}]}`, "events[1]: userId is missing"},
		{`{"events":[` + strings.Replace(good, `"u1"`, `""`, 1) + `]}`, "events[0]: userId must be"},
		{`{"events":[` + strings.Replace(good, `T10:00:00Z`, ``, 1) + `]}`, "events[0]: date must be"},
		{`{"events":[` + strings.Replace(good, `{}`, `[]`, 1) + `]}`, "events[0]: data must be"},
		{`{"events":[` + strings.Replace(good, `{}`, `null`, 1) + `]}`, "events[0]: data must be"},
		{`{"events":[` + strings.Replace(good, `{}`, `{"a":1,"a":2}`, 1) + `]}`, `"a" stands twice`},
	}
	for _, tt := range tests {
		s := sandbox.New(sandbox.Options{Token: token})
		w := track(s, tt.body)
		if got := refusal(t, w); w.Code != 400 || !strings.Contains(got, tt.want) {
			t.Errorf("track %s\n%d %q, want 400 %q", tt.body, w.Code, got, tt.want)
		}
		if got, want := s.Counts(), (sandbox.Counts{Requests: 1, Refused: 1}); got != want {
			t.Errorf("track %s\ncounts %+v, want %+v", tt.body, got, want)
		}
	}
}

// TestEventsView: whoever rehearses sees the events, one a line, without a token.
func TestEventsView(t *testing.T) {
	s := sandbox.New(sandbox.Options{Token: token})
	track(s, `{"events":[{"name":"b","date":"2024-05-01T10:00:00Z","userId":"u2","data":{"n":1}},{"name":"a","date":"2024-05-01T10:00:00Z","userId":"u1"}]}`)
	const want = `{"name":"b","user_id":"u2","date":"2024-05-01T10:00:00Z","data":{"n":1}}
{"name":"a","user_id":"u1","date":"2024-05-01T10:00:00Z","data":{}}
`
	w := send(s, httptest.NewRequest("GET", "/sandbox/events", nil))
	if w.Code != 200 || w.Body.String() != want || w.Header().Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
