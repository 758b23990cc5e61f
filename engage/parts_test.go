package engage

import (
	"testing"
)

// TestEventFilesAmongMarks: files of changes and calls are no snapshot: they come and go,
// whatever a manifest says.
func TestEventFilesAmongMarks(t *testing.T) {
	dir := write(t, "a.json", identify("u1", "audience", "vip", "", "true", 1), "b.json", "", "_SUCCESS", "", ".c.json", "x", "manifest", `{"entries":[{"url":"s3://b/gone.json"}]}`)
	for _, reader := range []string{"changes", "calls"} {
		if _, err := everyReader[reader](t, dir, AnyFormat); err != nil {
			t.Errorf("%s: %v", reader, err)
		}
		source, err := Export{Dir: dir, Source: ".", Pick: PickAll, Changes: reader == "changes"}.Open(t.Context())
		if err != nil || len(source.Files()) != 1 || source.Files()[0].Name != "a.json" {
			t.Errorf("%s: %v, %v", reader, source.Files(), err)
		}
	}
}

// TestAnyParts: where the number of parts varies, fewer are as good as all.
func TestAnyParts(t *testing.T) {
	e := Export{Dir: write(t, "part-0", "user_id\nu0\n"), Source: ".", Pick: PickAll}
	for _, e.AnyParts = range []bool{false, true} {
		source, err := e.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if missing := source.MissingParts(2, 0); (missing == "") != e.AnyParts {
			t.Errorf("any number: %t, missing: %q", e.AnyParts, missing)
		}
	}
}
