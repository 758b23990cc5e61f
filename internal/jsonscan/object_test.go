package jsonscan

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// FuzzAppend holds the reading of JSON columns against encoding/json.
func FuzzAppend(f *testing.F) {
	for _, text := range []string{
		`{}`, ` { } `, `{"user_id":["u1"],"email":["a@x.io","b@x.io"]}`, `{ "a" : [ 1 , -2.5e3 , null ] , "b" : true }`,
		`{"a":"q\"uote","b":"é"}`, `{"a":{"nested":[1,[2]]},"a":2}`, `{"a":[]}`, `{"a":[[]]}`, `{"a":01}`, `{"a":tru}`, `{"a":1}x`,
		`{"a":1,}`, `{"a"}`, `{“user_id”:[“u1”]}`, `null`, `[]`, `"a"`, `{"a":"\u00e9"}`, `{"a":"\ud83d\ude00\\ud83d"}`, "{\"a\":\"\x01\"}", "{\"a\":\"\xff\"}", `{"a":"`, `{"a":[1`, ``,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, cell []byte) {
		var want map[string]json.RawMessage
		if !bytes.Equal(Numberless(cell), cell) {
			return // no JSON to that package
		}
		wantOK := utf8.Valid(cell) && json.Unmarshal(cell, &want) == nil
		got, ok := Append(nil, cell)
		if wantOK && !ok && namesHalf(cell, want) {
			return
		}
		if ok != wantOK {
			t.Fatalf("%q: read %v, want %v", cell, ok, wantOK)
		}
		if !ok {
			if len(got) > 0 {
				t.Errorf("%q is refused and has %d members", cell, len(got))
			}
			return
		}
		for _, m := range got {
			if _, there := want[string(m.Name)]; !there {
				t.Errorf("%q has no %q", cell, m.Name)
			}
		}
		for name, value := range want {
			if got.Get(name) == nil || string(got.Get(name)) != string(value) {
				t.Fatalf("%q: %q is %q, want %q", cell, name, got.Get(name), value)
			}
			var text string
			if json.Unmarshal(value, &text) == nil && value[0] == '"' && !hasHalf(value) && string(Text(value)) != text {
				t.Errorf("the text of %q is %q", value, Text(value))
			}
			if items := []json.RawMessage(nil); value[0] == '[' && json.Unmarshal(value, &items) == nil {
				all := Items(nil, value)
				if len(all) != len(items) {
					t.Fatalf("%q has %d items", value, len(all))
				}
				for i := range all {
					if !bytes.Equal(all[i], items[i]) {
						t.Errorf("item %d of %q is %q", i, value, all[i])
					}
				}
			}
		}
	})
}

// TestHalfSurrogates: a text with half of a surrogate pair is none, as bytes are that are not UTF-8.
// All others are what encoding/json makes of them.
func TestHalfSurrogates(t *testing.T) {
	for _, raw := range []string{`"\ud83d"`, `"\uDE00"`, `"a\ud83db"`, `"\ud83d\ud83d\ude00"`, `"\ude00\ud83d"`, `"\\\ud83d"`, `"\ufffd\udfff"`, `"\ud83d\n"`} {
		if text := Text(json.RawMessage(raw)); utf8.Valid(text) {
			t.Errorf("%s is %q", raw, text)
		}
	}
	for _, object := range []string{`{"pet\ud83d":"x","pet\ud83e":"y"}`, `{"a":1,"\ude00":2}`} { // two columns would be one
		if all, ok := Append(nil, []byte(object)); ok {
			t.Errorf("%s has %q", object, all)
		}
	}
	if all, ok := Append(nil, []byte(`{"pet\ud83d\ude00":"x"}`)); !ok || all.Get("pet\U0001f600") == nil {
		t.Errorf("%q, %v", all, ok)
	}
	for _, raw := range []string{`"\ud83d\ude00"`, `"\\ud83d"`, `"\ufffd"`, `"\n\u00e9\ud7ff\ue000"`, `"\ud83d\ude00\ud83d\ude00\\"`} {
		var want string
		if err := json.Unmarshal([]byte(raw), &want); err != nil {
			t.Fatal(err)
		}
		if text := Text(json.RawMessage(raw)); string(text) != want {
			t.Errorf("%s is %q, want %q", raw, text, want)
		}
	}
}
