package sandbox_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gleapsync/gleap/sandbox"
)

// attributes returns n custom attributes as members of a JSON object.
func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"a%d":%d`, i, i)
	}
	return b.String()
}

func TestIdentifyRefuses(t *testing.T) {
	tests := []struct {
		body string
		want string // in the error; "": accepted
	}{
		{`{"userId":"u1"}`, ""},
		{` {"userId":"u1"} ` + "\r\n", ""},
		{`{"userId":"u1","name":"","phone":"1","companyName":"c","companyId":"1","lang":"en","plan":"p","value":-1.5e3}`, ""},
		{`{"userId":"u1","createdAt":"2024-05-01T10:00:00Z","lastActivity":"2024-05-01T10:00:00.123+02:00"}`, ""},
		{`{"userId":"u1","lastPageView":{}}`, ""},
		{`{"userId":"u1","lastPageView":{"page":"/","date":"2024-05-01T10:00:00Z"}}`, ""},
		{`{"userId":"u1","s":"x","n":1,"b":false,"gone":null,"first.name":"x","FirstName":"x"}`, ""},
		{`{"userId":"u1"` + attributes(35) + `}`, ""},
		{`{"userId":"u1","name":"n","email":"a@x.io"` + attributes(35) + `}`, ""},

		{`{}`, "userId is missing"},
		{`{"user":"u1"}`, "userId is missing"},
		{`{"userid":"u1"}`, "userId is missing"},
		{`{"userId":""}`, "userId must be"},
		{`{"userId":null}`, "userId must be"},
		{`{"userId":17}`, "userId must be"},

		{`{"userId":"u1","name":1}`, "name must be"},
		{`{"userId":"u1","name":null}`, "name must be"},
		{`{"userId":"u1","phone":49170}`, "phone must be"},
		{`{"userId":"u1","companyName":true}`, "companyName must be"},
		{`{"userId":"u1","companyId":7}`, "companyId must be"},
		{`{"userId":"u1","lang":[]}`, "lang must be"},
		{`{"userId":"u1","plan":{}}`, "plan must be"},
		{`{"userId":"u1","value":"12"}`, "value must be"},
		{`{"userId":"u1","value":true}`, "value must be"},
		{`{"userId":"u1","createdAt":"2024-05-01"}`, "createdAt must be"},
		{`{"userId":"u1","createdAt":"2024-05-01T1:00:00Z"}`, "createdAt must be"},
		{`{"userId":"u1","createdAt":"2024-05-01T10:00:00"}`, "createdAt must be"},
		{`{"userId":"u1","createdAt":"2024-05-01T10:00:00,5Z"}`, "createdAt must be"},
		{`{"userId":"u1","createdAt":"2024-05-01 10:00:00Z"}`, "createdAt must be"},
		{`{"userId":"u1","createdAt":"2024-02-30T10:00:00Z"}`, "createdAt must be"},
		{`{"userId":"u1","lastActivity":1714557600}`, "lastActivity must be"},
		{`{"userId":"u1","lastActivity":""}`, "lastActivity must be"},
		{`{"userId":"u1","lastPageView":"/"}`, "lastPageView must be"},
		{`{"userId":"u1","lastPageView":{"page":1}}`, "lastPageView: page must be"},
		{`{"userId":"u1","lastPageView":{"date":"today"}}`, "lastPageView: date must be"},
		{`{"userId":"u1","lastPageView":{"url":"/"}}`, "lastPageView: url must be"},

		{`{"userId":"u1","tags":["a"]}`, "tags must be"},
		{`{"userId":"u1","company":{"name":"c"}}`, "company must be"},
		{`{"userId":"u1"` + attributes(36) + `}`, "36 custom attributes"},
		{`{"userId":"u1","gone":null` + attributes(35) + `}`, "36 custom attributes"},

		{``, "not one JSON object"},
		{`null`, "not one JSON object"},
		{`[{"userId":"u1"}]`, "not one JSON object"},
		{`{"userId":"u1"`, "not one JSON object"},
		{`{"userId":"u1",}`, "not one JSON object"},
		{`{"userId":"u1"}{"userId":"u2"}`, "not one JSON object"},
		{`{"userId":"u1"}]`, "not one JSON object"},
		{`{"userId":"u1","n":NaN}`, "not one JSON object"},
		{"\ufeff" + `{"userId":"u1"}`, "not one JSON object"},
		{`{"userId":"u1","s":"` + "\xff" + `"}`, "not UTF-8"},
		{`{"userId":"u1","a":1,"a":1}`, `"a" stands twice`},
		{`{"userId":"u1","lastPageView":{"page":"/","page":"/"}}`, `"page" stands twice`},
	}
	for _, key := range strings.Fields("user_id firstName lastName sla avatar firstActivity lastHeardFrom unsubscribed " +
		"blocked sessions platform deviceType location project organisation customData gleapId gleapHash") {
		tests = append(tests, struct{ body, want string }{fmt.Sprintf(`{"userId":"u1",%q:"x"}`, key), key + " must be left out"})
	}
	for _, email := range []string{"a@x.io", "a+b@mail.x.co.uk", "ä@ü.de"} {
		tests = append(tests, struct{ body, want string }{fmt.Sprintf(`{"userId":"u1","email":%q}`, email), ""})
	}
	for _, email := range []string{"", "a", "a@", "@x.io", "a@x", "a@b@x.io", " a@x.io", "a@x.io ", "a b@x.io", "a@x\u00a0.io", "a@.io", "a@io."} {
		tests = append(tests, struct{ body, want string }{fmt.Sprintf(`{"userId":"u1","email":%q}`, email), "email must be"})
	}
	tests = append(tests, struct{ body, want string }{`{"userId":"u1","email":1}`, "email must be"})

	for _, tt := range tests {
		s := sandbox.New(sandbox.Options{Token: token})
		r := request("POST", "/admin/identify", tt.body)
		r.Header.Set("Content-Type", "application/json")
		w := send(s, r)
		status, want := 400, sandbox.Counts{Requests: 1, Refused: 1}
		if tt.want == "" {
			status, want = 200, sandbox.Counts{Requests: 1, Identify: 1, Contacts: 1}
		}
		got := refusal(t, w)
		if w.Code != status || !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("identify %s\n%d %q, want %d %q", tt.body, w.Code, got, status, tt.want)
		}
		if got := s.Counts(); got != want {
			t.Errorf("identify %s\ncounts %+v, want %+v", tt.body, got, want)
		}
	}
}

func TestIdentifyHeader(t *testing.T) {
	for contentType, want := range map[string]int{
		"application/json":                  200,
		"application/json; charset=utf-8":   200,
		"Application/JSON":                  200,
		"":                                  400,
		"text/plain":                        400,
		"application/x-www-form-urlencoded": 400,
		"application/jsonl":                 400,
	} {
		for target, body := range map[string]string{
			"/admin/identify": `{"userId":"u1"}`,
			"/admin/track":    `{"events":[{"name":"n","userId":"u1","date":"2024-05-01T10:00:00Z"}]}`,
		} {
			s := sandbox.New(sandbox.Options{Token: token})
			r := request("POST", target, body)
			r.Header.Set("Content-Type", contentType)
			if w := send(s, r); w.Code != want {
				t.Errorf("%s with Content-Type %q: status %d, want %d", target, contentType, w.Code, want)
			}
		}
	}
}

func TestIdentifyTooLarge(t *testing.T) {
	const frame = len(`{"userId":"u1","a":""}`)
	for size, want := range map[int]int{1 << 20: 200, 1<<20 + 1: 413, 5 << 20: 413} {
		s := sandbox.New(sandbox.Options{Token: token})
		w := identify(s, `{"userId":"u1","a":"`+strings.Repeat("x", size-frame)+`"}`)
		if w.Code != want {
			t.Errorf("%d bytes: status %d, want %d", size, w.Code, want)
		}
	}
}

// TestIdentifyMerges follows one contact through several calls.
func TestIdentifyMerges(t *testing.T) {
	s := sandbox.New(sandbox.Options{Token: token})
	steps := []struct {
		body               string
		fields, attributes map[string]any
	}{
		{
			`{"userId":"u1","name":"Ada","value":12345678901234567890,"vip":true,"n":0.10,"s":""}`,
			map[string]any{"name": "Ada", "value": json.Number("12345678901234567890")},
			map[string]any{"vip": true, "n": json.Number("0.10"), "s": ""},
		},
		{
			`{"userId":"u1","plan":"pro","vip":false,"more":"x"}`,
			map[string]any{"name": "Ada", "plan": "pro", "value": json.Number("12345678901234567890")},
			map[string]any{"vip": false, "n": json.Number("0.10"), "s": "", "more": "x"},
		},
		{
			`{"userId":"u1","name":"","value":1,"n":null,"never":null,"lastPageView":{"page":"/a","date":"2024-05-01T10:00:00Z"}}`,
			map[string]any{"name": "", "plan": "pro", "value": json.Number("1"),
				"lastPageView": map[string]any{"page": "/a", "date": "2024-05-01T10:00:00Z"}},
			map[string]any{"vip": false, "s": "", "more": "x"},
		},
		{
			`{"userId":"u1","lastPageView":{"page":"/b"},"createdAt":"2024-05-01T12:00:00+02:00"}`,
			map[string]any{"name": "", "plan": "pro", "value": json.Number("1"),
				"lastPageView": map[string]any{"page": "/b"}, "createdAt": "2024-05-01T12:00:00+02:00"},
			map[string]any{"vip": false, "s": "", "more": "x"},
		},
	}
	for i, step := range steps {
		mustIdentify(t, s, step.body)
		mustIdentify(t, s, `{"userId":"u2","other":1}`)
		identify(s, `{"userId":"u1","name":"Bob","vip":true,"tags":[]}`) // refused, changes nothing
		c, ok := s.Contact("u1")
		if !ok || c.UserID != "u1" || c.Identified != i+1 {
			t.Fatalf("step %d: %v, %+v", i, ok, c)
		}
		if !reflect.DeepEqual(c.Fields, step.fields) {
			t.Errorf("step %d: fields\n%v, want\n%v", i, c.Fields, step.fields)
		}
		if !reflect.DeepEqual(c.Attributes, step.attributes) {
			t.Errorf("step %d: attributes\n%v, want\n%v", i, c.Attributes, step.attributes)
		}
	}
	if c, _ := s.Contact("u1"); !c.CreatedAt.Equal(time.Date(2024, 5, 1, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("created at %v", c.CreatedAt)
	}
	if c, ok := s.Contact("u3"); ok {
		t.Errorf("a contact from nowhere: %+v", c)
	}
}

// TestActivity identifies a new contact at the start and one that is known from
// then a day later.
func TestActivity(t *testing.T) {
	const prevent = "?preventLastActivityUpdate=true"
	const body = `,"lastActivity":"1999-12-31T01:00:00+01:00"`
	var (
		never = time.Time{}
		given = time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC)
		start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // where synctest starts
		later = start.AddDate(0, 0, 1)
	)
	for _, tt := range []struct {
		query, body        string
		wantNew, wantKnown time.Time
	}{
		{"", "", start, later},
		{"?preventLastActivityUpdate=false", "", start, later},
		{prevent, "", never, start},
		{"", body, given, given},
		{prevent, body, given, given},
	} {
		t.Run(tt.query+tt.body, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := sandbox.New(sandbox.Options{Token: token})
				check := func(user string, want time.Time) {
					t.Helper()
					w := send(s, request("POST", "/admin/identify"+tt.query, fmt.Sprintf(`{"userId":%q%s}`, user, tt.body)))
					if w.Code != 200 {
						t.Fatal(w.Code, w.Body)
					}
					c, _ := s.Contact(user)
					if !c.LastActivity.Equal(want) || !c.CreatedAt.Equal(start) {
						t.Errorf("%s: created %v, active %v, want %v", user, c.CreatedAt, c.LastActivity, want)
					}
				}
				mustIdentify(t, s, `{"userId":"known"}`)
				check("new", tt.wantNew)
				time.Sleep(later.Sub(start))
				check("known", tt.wantKnown)
			})
		})
	}
}

func TestContacts(t *testing.T) {
	s := sandbox.New(sandbox.Options{Token: token})
	for _, id := range []string{"b", "a", "é", "10", "9", "B"} {
		mustIdentify(t, s, fmt.Sprintf(`{"userId":%q,"x":1,"lastPageView":{"page":"p"}}`, id))
	}
	var ids []string
	for c := range s.Contacts() {
		ids = append(ids, c.UserID)
		clear(c.Attributes)
		clear(c.Fields["lastPageView"].(map[string]any))
		clear(c.Fields)
	}
	if want := []string{"10", "9", "B", "a", "b", "é"}; !slices.Equal(ids, want) {
		t.Errorf("contacts %q, want %q", ids, want)
	}
	for c := range s.Contacts() {
		if len(c.Attributes) != 1 || !reflect.DeepEqual(c.Fields, map[string]any{"lastPageView": map[string]any{"page": "p"}}) {
			t.Errorf("%s was changed through a copy: %+v", c.UserID, c)
		}
		break // or the iterator panics
	}
}
