package human

import "testing"

// TestCommands: a command that a text names can be pasted, also where the configuration has to be
// named.
func TestCommandsThatAreNamed(t *testing.T) {
	const text = "gleapsync plan --save FILE, gleapsync verify --config c.toml, gleapsync schema, gleapsync checks, gleapsync 1.0; gleapsync"
	const want = "gleapsync plan --config c.toml --save FILE, gleapsync verify --config c.toml, gleapsync schema, gleapsync checks, gleapsync 1.0; gleapsync"
	if got := Commands(text, "c.toml"); got != want {
		t.Error(got)
	}
}

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

func TestArgument(t *testing.T) {
	for path, want := range map[string]string{"exports/vip.csv": "exports/vip.csv", "größe": "größe", "my exports": "'my exports'", "$HOME": "'$HOME'", "it's": `'it'\''s'`} {
		if got := Argument(path); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}
