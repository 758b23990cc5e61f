package engage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// FuzzScanObject: what encoding/json takes for an object, the scanner takes apart in the
// same way.
func FuzzScanObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` { "a" : 1 , "b\"\\":{"c":[1,"]",{}]},"a":"}" } `, `{"a":tru}`, `{"a":1,}`, `{"a"}`, `[1]`, `{"a":[}`, `{"a":"\\"}`, `{"a":{"b":"}`, `{"a":1}x`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := map[string]json.RawMessage{}
		ok := scanObject(b, func(name []byte, value json.RawMessage) { got[string(name)] = value })
		var want map[string]json.RawMessage
		if json.Unmarshal(b, &want) != nil || want == nil {
			return
		}
		if bytes.Contains(b, []byte("\xff")) || !ok && nesting(b) > 60 {
			return
		}
		if !ok || len(got) != len(want) {
			t.Fatalf("%q: %t, %d members, want %d", b, ok, len(got), len(want))
		}
		for name, value := range want {
			if !bytes.Equal(got[name], value) && bytes.Equal(bytes.ToValidUTF8(b, nil), b) {
				t.Errorf("%q: %q is %q, want %q", b, name, got[name], value)
			}
		}
	})
}

// FuzzHasControl holds the look at eight bytes at a time against one at each.
func FuzzHasControl(f *testing.F) {
	for _, seed := range []string{"", "\x1f", "       \t", "        \n", "abcdefgh\x80\xff\x20\x7f1234", "ü\x00üüüüü"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, want := hasRawControl(b), bytes.ContainsFunc(b, func(c rune) bool { return c < ' ' }); got != want {
			t.Errorf("%q: %t", b, got)
		}
	})
}

func nesting(b []byte) int { return bytes.Count(b, []byte("[")) + bytes.Count(b, []byte("{")) }

// TestNoNumbers: Python's words for what is no number break no line and no object, in
// whatever form they come, and say nothing within other JSON.
func TestNoNumbers(t *testing.T) {
	for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
		n := Attribute{Kind: Trait, Key: "n", Name: "n", Column: "n", Type: Auto}
		inner := `{"m":1,"list":[` + word + `],"x":` + word + `,"t":"a \" ` + word + `"}`
		for form, text := range map[string]string{
			"line":           `{"user_id":"u1","x":` + word + `,"y":[1,` + word + `],"z":` + inner + `,"n":7}`,
			"last member":    `{"user_id":"u1","n":7,"x":` + word + `}`,
			"traits":         `{"user_id":"u1","traits":{"x":` + word + `,"n":7}}`,
			"nested":         `{"user_id":"u1","traits":{"x":` + inner + `,"n":7}}`,
			"column of JSON": "user_id,traits\nu1,\"" + strings.ReplaceAll(`{"x":`+inner+`,"n":7}`, `"`, `""`) + "\"",
			"external ids":   `{"external_ids":{"user_id":["u1"],"x":[[` + word + `]]},"n":7}`,
			"list of ids":    `{"external_ids":{"user_id":["u1",[` + word + `]]},"n":7}`,
		} {
			got, result, err := rows(Export{Source: "x", Dir: write(t, "x", text+"\n"), Attributes: []Attribute{n}})
			if err != nil || fmt.Sprint(got) != "[u1: 7]" || result.Invalid+result.Attributes[0].Invalid > 0 {
				t.Errorf("%s, %s: %q, %+v, %v", word, form, got, result, err)
			}
		}
		if got, want := string(numberless([]byte(inner))), `{"m":1,"list":[null],"x":null,"t":"a \" `+word+`"}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, word := range []string{"nan", "Inf", "+Infinity", "NaN7", "- Infinity", "-NaN", "None"} {
		if scanObject([]byte(`{"n":`+word+`}`), func([]byte, json.RawMessage) {}) {
			t.Errorf("%s is taken for a value", word)
		}
	}
}
