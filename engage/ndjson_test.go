package engage

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gleapsync/internal/attr"
	"gleapsync/internal/values"
)

func TestNDJSON(t *testing.T) {
	number := Attribute{Kind: Trait, Key: "n", Name: "n", Column: "n", Type: values.Auto}
	for name, test := range map[string]struct {
		text       string
		export     Export
		attributes []Attribute
		want       []string
		broken     int
		err        string
	}{
		"members": {
			text:       `{"userId":"u1","email":"a@x.io"}` + "\n" + `{"userId":17}` + "\n" + `{"userId":null}`,
			attributes: []Attribute{audience}, export: Export{Fields: []string{"email"}},
			want: []string{`u1: true "a@x.io"`, "17: true null"},
		},
		"a table with what has no value left out": {
			text: `{"user_id":"u1","vip":true}` + "\r\n" + `{"n":"007","user_id":"u2"}` + "\n\n" + `{"user_id":"u3","n":1.50,"vip":"f"}` + "\n" +
				`{"user_id":"u4","n":12345678901234567890,"vip":null}` + "\n" + `{"user_id":"u5","n":["a","b"],"N":2}` + "\n" + `{"user_id":"u6","n":1}`,
			attributes: []Attribute{{Kind: Audience, Key: "vip", Column: "VIP"}, number},
			want:       []string{"u1: true null", `u2: null "007"`, `u3: false "1.50"`, `u4: null "12345678901234567890"`, `u5: null "a, b"`, `u6: null "1"`},
		},
		"nested": {
			text:       `{"userId":"u1","traits":{"n":3,"company":{"name":"Acme","n":4}},"a":{"b":{"c":"d\u00e9"}}}`,
			attributes: []Attribute{number, {Kind: Trait, Key: "x", Column: "traits.company.n", Type: values.Auto}, {Kind: Trait, Key: "y", Column: "a.b.c", Type: values.Auto}},
			want:       []string{`u1: 3 4 "dé"`},
		},
		"external ids": {
			text:       `{"external_ids":{"user_id":["u1","u2"],"email":["a@x.io"]}}` + "\n" + `{"external_ids":"{\"user_id\":[\"u3\"]}"}` + "\n",
			attributes: []Attribute{audience}, export: Export{Fields: []string{"email"}},
			want: []string{`u1: true "a@x.io"`, `u2: true "a@x.io"`, "u3: true null"},
		},
		"a named id": {
			text:       `{"id":{"n":"u1"},"n":1}` + "\n",
			attributes: []Attribute{number}, export: Export{UserID: "id.n"}, want: []string{"u1: 1"},
		},
		"broken lines": {
			text:       `{"user_id":"u1","n":1}` + "\n" + `{"user_id":"u2","n":1` + "\n[1]\n" + `{"user_id":"u3","n":{}}` + "\n",
			attributes: []Attribute{number}, want: []string{`u1: "1"`, `u3: "{}"`}, broken: 2,
		},
		"broken off": {
			text: `{"user_id":"u1","n":1}` + "\n" + `{"user_id":"u2","n"`, attributes: []Attribute{number},
			want: []string{"u1: 1"}, err: "e: the file ends inside a row: the export is not complete; export it again, and the next run takes it",
		},
		"no user id": {
			text: `{"n":1,"m":2}`, attributes: []Attribute{number}, err: "e: the header has no column user_id, userId or external_ids: name the user id's column with user_id, or " + otherForm + `; its columns are "n", "m"`,
		},
		"an audience's own member comes late": {
			text:       strings.Repeat(`{"user_id":"u1","x":"`+strings.Repeat("x", 1000)+`"}`+"\n", 300) + `{"user_id":"u2","Shopper":true}`,
			attributes: []Attribute{audience}, want: slices.Repeat([]string{"u1: true"}, 300),
			err: `e: line 301 has a member "Shopper" and the lines at the start have none, so nobody can tell who is in: take it as a column of a [[table]]`,
		},
	} {
		test.export.Dir, test.export.Source, test.export.Attributes = write(t, "e", test.text), "e", test.attributes
		got, result, err := rows(test.export)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if !slices.Equal(got, test.want) || result.Invalid != test.broken || text != test.err {
			t.Errorf("%s: got %.300q, %d broken, %s", name, got, result.Invalid, text)
		}
	}
}

// TestNDJSONNames: what a pattern takes may come in any line of any part.
func TestNDJSONNames(t *testing.T) {
	dir := write(t, "e1", `{"user_id":"u1","vip_a":true}`+"\n", "e2", `{"user_id":"u2"}`+"\n"+strings.Repeat(`{"user_id":"","x":"`+strings.Repeat("x", 1000)+`"}`+"\n", 300)+`{"user_id":"u3","vip_b":false}`)
	e := Export{Dir: dir, Source: "e*", Pick: PickAll, Wildcards: []Wildcard{{Audience, "vip_*", ""}}}
	source, err := e.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names, err := source.Header(t.Context())
	if want := []string{"user_id", "vip_a", "x", "vip_b"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("got %q, %v, want %q", names, err, want)
	}
	e.Attributes = e.TakeColumns(names)
	var got []string
	_, err = source.Read(t.Context(), e.Attributes, func(id []byte, cells []attr.Value) error {
		got = append(got, fmt.Sprintf("%s: %s %s", id, cells[0].AppendJSON(nil), cells[1].AppendJSON(nil)))
		return nil
	})
	if want := []string{"u1: true null", "u2: null null", "u3: null false"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
