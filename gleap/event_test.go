package gleap_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gleapsync/gleap"
	"gleapsync/gleap/sandbox"
	"gleapsync/internal/attr"
)

// TestTrackBody has the bodies of each kind of event, byte by byte.
func TestTrackBody(t *testing.T) {
	at := time.Date(2026, 3, 1, 14, 0, 0, 120_000_000, time.FixedZone("", 2*60*60))
	text := func(s string) attr.Value { return attr.OfString([]byte(s)) }
	for _, test := range []struct {
		event gleap.Event
		want  string
	}{
		{gleap.Event{Name: []byte("Audience Entered"), Date: at, UserID: []byte("u1"), Data: []gleap.Attribute{{Key: "audience_key", Value: text("vip")}, {Key: "vip", Value: attr.OfBool(true)}}},
			`{"name":"Audience Entered","date":"2026-03-01T12:00:00.12Z","userId":"u1","data":{"audience_key":"vip","vip":true}}`},
		{gleap.Event{Name: []byte("Trait Computed"), Date: at, UserID: []byte("u\"1"), Data: []gleap.Attribute{{Key: "trait_key", Value: text("total")}, {Key: "total", Value: attr.OfNumber([]byte("12.5"))}}},
			`{"name":"Trait Computed","date":"2026-03-01T12:00:00.12Z","userId":"u\"1","data":{"trait_key":"total","total":12.5}}`},
		{gleap.Event{Name: []byte(gleap.PageView), Date: at, UserID: []byte("u1"), Data: []gleap.Attribute{{Key: "page", Value: text("https://x.io/p")}}},
			`{"name":"pageView","date":"2026-03-01T12:00:00.12Z","userId":"u1","data":{"page":"https://x.io/p"}}`},
		{gleap.Event{Name: []byte("$shop.Order"), Date: at, UserID: []byte("u1")},
			`{"name":"-shop-Order","date":"2026-03-01T12:00:00.12Z","userId":"u1","data":{}}`},
	} {
		if got := string(test.event.AppendJSON(nil)); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

// TestTrack: several events go in one request, with all that a request of this client has;
// a refusal is one of all of them and names no contact.
func TestTrack(t *testing.T) {
	s := sandbox.New(sandbox.Options{Token: "token"})
	c := connect(t, s, 0, time.Minute)
	event := func(user, name string) []byte {
		e := gleap.Event{Name: []byte(name), Date: time.Unix(1_800_000_000, 0), UserID: []byte(user)}
		return e.AppendJSON(nil)
	}
	if err := c.Track(t.Context(), [][]byte{event("u1", "a"), event("u2", "b")}); err != nil {
		t.Fatal(err)
	}
	if counts := s.Counts(); counts.Track != 1 || counts.Events != 2 {
		t.Errorf("%+v", counts)
	}
	err := c.Track(t.Context(), [][]byte{event("u1", "a"), event("", "b")})
	var refused *gleap.RefusedError
	if !errors.As(err, &refused) || refused.Status != 400 || err.Error() != "Gleap refused the event: 400 Bad Request: events[1]: userId must be a non-empty string" {
		t.Errorf("%v", err)
	}
	if got := s.Counts().Events; got != 2 {
		t.Errorf("%d events", got)
	}
}

// TestTrackRequest: the body holds the events in their order, and nothing else.
func TestTrackRequest(t *testing.T) {
	var path, body string
	c := connectTo(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		path, body = r.Method+" "+r.URL.String(), string(text)
	}), 0, time.Minute)
	if err := c.Track(t.Context(), [][]byte{[]byte(`{"name":"a"}`), []byte(`{"name":"b"}`)}); err != nil {
		t.Fatal(err)
	}
	if path != "POST /admin/track" || body != `{"events":[{"name":"a"},{"name":"b"}]}` || strings.Contains(body, "token") {
		t.Errorf("%s %s", path, body)
	}
}
