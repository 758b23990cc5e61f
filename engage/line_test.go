package engage

import (
	"fmt"
	"slices"
	"testing"

	"gleapsync/internal/attr"
	"gleapsync/internal/values"
)

// TestLine: while a row is read, its source knows where it begins.
func TestLine(t *testing.T) {
	for _, test := range []struct {
		name, text string
		ids        Identifiers
		want       []string
	}{
		{"quoted line breaks", "user_id,x\na,1\n\"b\",\"2\n3\"\nc,4\n", AllIDs, []string{"a:2", "b:3", "c:5"}},
		{"bytes that move", "user_id,x\na,\"\"\"1\"\"\n\"\"2\n\"\n\"b\",\"2\r\n\r\n3\n\"\nc,4\n", AllIDs, []string{"a:2", "b:5", "c:9"}},
		{"JSON", "{\"user_id\":\"a\",\"x\":1}\n\n{\"user_id\":\"b\",\"x\":2}\n", AllIDs, []string{"a:1", "b:3"}},
		{"several ids", "user_id,user_id_1,x\na,b,1\n", AllIDs, []string{"a:2", "b:2"}},
		{"the last id of a profile", "key,user_id,x\np,a,1\np,b,2\nq,c,3\n", LastID, []string{"b:3", "c:4"}},
	} {
		s, err := Export{Source: "x", Dir: write(t, "x", test.text), Identifiers: test.ids}.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		attributes := []Attribute{{Kind: Trait, Key: "x", Column: "x", Type: values.Auto}}
		if _, err := s.Read(t.Context(), attributes, func(id []byte, _ []attr.Value) error {
			got = append(got, fmt.Sprintf("%s:%d", id, s.Line()))
			return nil
		}); err != nil || !slices.Equal(got, test.want) || s.Line() != 0 {
			t.Errorf("%s: %v, %v, want %v", test.name, got, err, test.want)
		}
	}
}
