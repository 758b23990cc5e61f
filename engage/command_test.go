//go:build unix

package engage

import (
	"slices"
	"testing"
	"time"
)

// script is an export of what a shell script writes.
func script(t *testing.T, text string) Export {
	return Export{Command: []string{"/bin/sh", "-c", text}, Source: "sh", Dir: t.TempDir()}
}

// TestCommandRows: what a command wrote is read as a file is, and nobody knows beforehand
// what it is.
func TestCommandRows(t *testing.T) {
	e := script(t, `printf 'user_id,x\nu1,\nu2,\n'`)
	e.Attributes = []Attribute{audience}
	got, _, err := rows(e)
	if err != nil || !slices.Equal(got, []string{"u1: true", "u2: true"}) {
		t.Errorf("%q, %v", got, err)
	}
	source, err := e.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if now, former := source.Fingerprint(e.Attributes); now+former != "" || time.Since(source.AsOf()) > time.Minute {
		t.Errorf("fingerprint %q, former %q, of %v", now, former, source.AsOf())
	}
	if _, _, err := rows(script(t, "true")); err == nil || err.Error() != "sh: the file is empty: it has no header" {
		t.Errorf("no output: %v", err)
	}
}
