package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCompletion completes command lines in real shells. A line ends at the word that is
// to be completed; what it becomes, or its candidates, are in the order of the lines.
func TestCompletion(t *testing.T) {
	t.Parallel()
	const config = "gleapsync --config config.example.toml "
	for shell, test := range map[string]struct {
		complete func(*testing.T, shellRun, []string) string
		lines    map[string]string
	}{
		"bash": {completeInBash, map[string]string{
			"gleapsync insp":                              "inspect",
			"gleapsync inspect ":                          "summary audiences audience contact forgotten runs deliveries parked events",
			"gleapsync inspect contact ":                  "",
			"gleapsync completion ":                       "bash zsh fish",
			"gleapsync nosuch ":                           "",
			"nosuch ":                                     "",
			config + "inspect audience v":                 "vip_eu",
			config + "plan --only = v":                    "vip_eu",
			config + "plan --max-exits v":                 "vip_eu= (compopt -o nospace)",
			config + "plan --max-exits = v":               "vip_eu= (compopt -o nospace)",
			config + "plan --accept-absence v":            "vip_eu",
			config + "retire v":                           "",
			"gleapsync plan --output =":                   "text json",
			"gleapsync plan --output = j":                 "json",
			"gleapsync plan --sort =":                     "key changed members",
			"gleapsync --config conf":                     " (compopt -o default)",
			"gleapsync --config broken.toml plan ":        "--full --only --max-exits --accept-absence --all --held --sort --changes --contact --class --limit --save --show --help --output --log-format --log-level --verbose --version",
			"gleapsync --config broken.toml plan --only ": "",
		}},
		"zsh": {completeInZsh, map[string]string{
			"gleapsync insp":                       "gleapsync inspect ",
			"gleapsync plan --config=conf":         "gleapsync plan --config=config.example.toml ",
			config + "plan --max-exits v":          config + "plan --max-exits vip_eu=",
			"gleapsync nosuch x":                   "gleapsync nosuch x",
			"gleapsync init exam":                  "gleapsync init examples/",
			"nosuch/gleapsync x":                   "nosuch/gleapsync x",
			"gleapsync --config nosuch inspect au": "gleapsync --config nosuch inspect audience",
		}},
		"fish": {completeInFish, map[string]string{
			"gleapsync insp":                 "inspect",
			"gleapsync inspect ":             "audience audiences contact deliveries events forgotten parked runs summary",
			"DAY=day2 gleapsync completion ": "bash fish zsh",
			"gleapsync inspect contact ":     "",
			"gleapsync nosuch ":              "",
			"nosuch/gleapsync ":              "",
			config + "inspect audience v":    "vip_eu",
			config + "plan --max-exits=v":    "--max-exits=vip_eu=",
			"gleapsync plan --output=j":      "--output=json",
			"gleapsync plan --config=conf":   "--config=config.example.toml",
			"gleapsync --config conf":        "config.example.toml",
		}},
	} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skipf("there is no %s on this machine: its completion is not tested", shell)
			}
			dir := t.TempDir()
			if err := copyExamples(dir); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "broken.toml"), []byte("= ="), 0o600); err != nil {
				t.Fatal(err)
			}
			lines := slices.Sorted(maps.Keys(test.lines))
			got := strings.Split(strings.TrimSuffix(test.complete(t, shellRun{path, dir}, lines), "\n"), "\n")
			if len(got) != len(lines) {
				t.Fatalf("%d answers to %d lines: %q", len(got), len(lines), got)
			}
			for i, line := range lines {
				if got[i] != test.lines[line] {
					t.Errorf("%q: got %q, want %q", line, got[i], test.lines[line])
				}
			}
		})
	}
}

// shellRun is a shell and the folder that it runs in, which is its home too.
type shellRun struct{ path, dir string }

// output runs the shell and returns what it prints. Nothing may come out on standard
// error: it would be in the user's prompt.
func (s shellRun) output(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(s.path, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "HOME="+s.dir, "ZDOTDIR="+s.dir, "XDG_CONFIG_HOME="+s.dir, "XDG_DATA_HOME="+s.dir, "TERM=dumb")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || errs.Len() > 0 {
		t.Fatalf("%v: %s", err, errs.String())
	}
	return string(out)
}

func (s shellRun) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// completeInBash calls the function as bash does: it gets the words, taken apart at
// blanks and at each "=".
func completeInBash(t *testing.T, s shellRun, lines []string) string {
	script := `eval "$(gleapsync completion bash)"
complete -p gleapsync >/dev/null || exit
compopt() { options=" (compopt $*)"; }
try() {
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=() options=
	_gleapsync
	echo "${COMPREPLY[*]}$options"
}
`
	for _, line := range lines {
		script += "try"
		for word := range strings.SplitSeq(line, " ") {
			script += fmt.Sprintf(" '%s'", word)
		}
		script += "\n"
	}
	return s.output(t, "--norc", "--noprofile", "-u", s.write(t, "try.bash", script))
}

// completeInZsh types the lines and a tab into shells on terminals of their own.
func completeInZsh(t *testing.T, s shellRun, lines []string) string {
	s.write(t, ".zshrc", `PS1='READY>'
eval "$(gleapsync completion zsh)"
bindkey '^I' complete-word
show() { print -r -- "<$BUFFER>"; exit }
zle -N show
bindkey '^X' show
`)
	driver := s.write(t, "try.zsh", `zmodload zsh/zpty
for line in "$@"; do
	zpty shell zsh -i
	zpty -r shell out '*READY>*'
	zpty -w -n shell "$line"$'\t\x18'
	zpty -r shell out '*<*>*'
	print -r -- "${${out##*<}%%>*}"
	zpty -d shell
done
`)
	return s.output(t, append([]string{"-f", driver}, lines...)...)
}

func completeInFish(t *testing.T, s shellRun, lines []string) string {
	driver := s.write(t, "try.fish", `gleapsync completion fish | source
for line in $argv
	set -l candidates
	for candidate in (complete -C $line)
		set -a candidates (string split -f 1 \t -- $candidate)
	end
	echo $candidates
end
`)
	return s.output(t, append([]string{driver}, lines...)...)
}
