package gleap

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"gleapsync/internal/attr"
)

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
