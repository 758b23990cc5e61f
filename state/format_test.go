package state

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"gleapsync/internal/attr"
)

// TestDocumentedRecord holds the encoding against the example in
// docs/state-format.md.
func TestDocumentedRecord(t *testing.T) {
	doc, err := os.ReadFile("../docs/state-format.md")
	if err != nil {
		t.Fatal(err)
	}
	var want string
	_, example, _ := strings.Cut(string(doc), "So a member of one audience takes 10 bytes")
	for _, line := range strings.Split(example, "\n") {
		if cell, ok := strings.CutPrefix(line, "| `"); ok {
			bytes, _, _ := strings.Cut(cell, "`")
			want += strings.ReplaceAll(bytes, " ", "")
		} else if strings.HasPrefix(line, "Contact fields") {
			break
		}
	}
	r := Record{Acknowledged: 1_800_000_000, Epoch: 1, Attributes: []Known{{0, 1_800_000_000, attr.OfBool(true)}}}
	if got := hex.EncodeToString(r.append(nil)); got != want {
		t.Errorf("the record is %s, the documentation says %s", got, want)
	}
}
