package console

import (
	"strings"
	"testing"

	"gleapsync/internal/runs"
	"gleapsync/internal/starter"
)

// TestCommandsOfResults: a command that a result names can be pasted, whatever the configuration is
// called.
func TestCommandsOfResults(t *testing.T) {
	var b strings.Builder
	w := Out{Writer: &b, Config: "my c.toml"}
	some(w, 1, "contact", "parked: see gleapsync inspect parked.")
	orphans(w, []runs.Orphan{{Key: "vip"}})
	Started(w, starter.Result{Config: "my c.toml"})
	for _, want := range []string{
		"see gleapsync inspect --config 'my c.toml' parked.\n", "run gleapsync retire --config 'my c.toml' vip.\n", "gleapsync check --config 'my c.toml': tries",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("there is no %q in\n%s", want, b.String())
		}
	}
}
