package human

import "testing"

// TestCommands: a command that a text names can be pasted, also where the configuration has to be
// named.
func TestCommands(t *testing.T) {
	const text = "if that is right, run gleapsync sync --max-exits vip=2 once; gleapsync inspect runs last --held says why"
	for config, want := range map[string]string{
		"":             text,
		"a/b.toml":     "if that is right, run gleapsync sync --config a/b.toml --max-exits vip=2 once; gleapsync inspect --config a/b.toml runs last --held says why",
		"it's, a.toml": `if that is right, run gleapsync sync --config 'it'\''s, a.toml' --max-exits vip=2 once; gleapsync inspect --config 'it'\''s, a.toml' runs last --held says why`,
	} {
		if got := Commands(text, config); got != want {
			t.Errorf("%q: %s", config, got)
		}
	}
}
