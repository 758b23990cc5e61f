package engage

import (
	"fmt"
	"strings"
	"testing"

	"gleapsync/internal/values"
)

// TestNoNumbers: Python's words for what is no number break no line and no object, in
// whatever form they come, and say nothing within other JSON.
func TestNoNumbers(t *testing.T) {
	for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
		n := Attribute{Kind: Trait, Key: "n", Name: "n", Column: "n", Type: values.Auto}
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
	}
}
