package engage

import (
	"bytes"
	"encoding/json"
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

func nesting(b []byte) int { return bytes.Count(b, []byte("[")) + bytes.Count(b, []byte("{")) }
