package jsonscan

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzObject: what encoding/json takes for an object, the scanner takes apart in the
// same way.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` { "a" : 1 , "b\"\\":{"c":[1,"]",{}]},"a":"}" } `, `{"a":tru}`, `{"a":1,}`, `{"a"}`, `[1]`, `{"a":[}`, `{"a":"\\"}`, `{"a":{"b":"}`, `{"a":1}x`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := map[string]json.RawMessage{}
		ok := Object(b, func(name []byte, value json.RawMessage) { got[string(name)] = value })
		var want map[string]json.RawMessage
		if json.Unmarshal(b, &want) != nil || want == nil {
			return
		}
		if bytes.Contains(b, []byte("\xff")) || !ok && (nesting(b) > 60 || !utf8.Valid(b) || namesHalf(b, want)) {
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
		if got, want := hasControl(b), bytes.ContainsFunc(b, func(c rune) bool { return c < ' ' }); got != want {
			t.Errorf("%q: %t", b, got)
		}
	})
}

// namesHalf reports whether a name in an object may have half of a surrogate pair.
func namesHalf(object []byte, members map[string]json.RawMessage) bool {
	for name := range members {
		if strings.ContainsRune(name, utf8.RuneError) {
			return hasHalf(object)
		}
	}
	return false
}

func nesting(b []byte) int { return bytes.Count(b, []byte("[")) + bytes.Count(b, []byte("{")) }

// TestNoNumbers: Python's words for what is no number are values, and no others like them.
func TestNoNumbers(t *testing.T) {
	for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
		got := string(Numberless([]byte(`{"m":1,"list":[` + word + `],"x":` + word + `,"t":"a \" ` + word + `"}`)))
		if want := `{"m":1,"list":[null],"x":null,"t":"a \" ` + word + `"}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, word := range []string{"nan", "Inf", "+Infinity", "NaN7", "- Infinity", "-NaN", "None"} {
		if Object([]byte(`{"n":`+word+`}`), func([]byte, json.RawMessage) {}) {
			t.Errorf("%s is taken for a value", word)
		}
	}
}
