package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gleapsync/internal/config"
)

var update = flag.Bool("update", false, "write the outputs in README.md and docs/commands.md anew")

// consoleBlock is a block of commands with their output.
var consoleBlock = regexp.MustCompile("(?s)```console\n(.*?)```")

// TestReadme runs the commands of the README and of docs/commands.md one after the other and
// compares what they print with what is said there. Times and sizes may differ.
func TestReadme(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"README.md", "docs/commands.md"} {
		dir := t.TempDir()
		if err := copyExamples(dir); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if page == "README.md" {
			shell(t, dir, "gleapsync sync --config config.example.toml") // which it shows without what it prints
		}
		updated := consoleBlock.ReplaceAllFunc(text, func(block []byte) []byte {
			var all bytes.Buffer
			all.WriteString("```console\n")
			for line := range strings.Lines(string(block)) {
				command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ ")
				if !ok {
					continue
				}
				output := shell(t, dir, command)
				all.WriteString("$ " + command + "\n" + output)
			}
			all.WriteString("```")
			if got, want := variable.ReplaceAllString(all.String(), "~"), variable.ReplaceAllString(string(block), "~"); got != want && !*update {
				t.Errorf("%s says\n%s\nthe program\n%s\n(go test -run TestReadme -update . writes it anew)", page, block, all.Bytes())
			}
			return all.Bytes()
		})
		if *update {
			if err := os.WriteFile(page, updated, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestReadmeCommands: what is not in a console block is at least a command that exists.
func TestReadmeCommands(t *testing.T) {
	for command, page := range map[string]string{
		"go run . sync --config config.example.toml": "README.md", "go test ./...": "README.md",
		"gleapsync sandbox --listen 127.0.0.1:8089 --token rehearsal": "docs/commands.md",
	} {
		if text, err := os.ReadFile(page); err != nil || !bytes.Contains(text, []byte("\n"+command+"\n")) {
			t.Errorf("%s does not have the command %s any more, %v", page, command, err)
		}
	}
}

// TestReadmeIsShort: who looks whether this is of use reads a page, not a manual.
func TestReadmeIsShort(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if words := len(strings.Fields(string(text))); err != nil || words > 1200 {
		t.Errorf("got %d words, want 1,200 at most; %v", words, err)
	}
}

var (
	linkTarget = regexp.MustCompile(`\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"`)
	heading    = regexp.MustCompile(`(?m)^#+ (.*)$`)
	noAnchor   = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	codeBlock  = regexp.MustCompile("(?ms)^```.*?^```")
)

// TestLinks: what pages refer to in this tree is there, the section too if one is named.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	pages = append(pages, "README.md", "deploy/README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
	if err != nil || len(pages) < 10 {
		t.Fatalf("%q, %v", pages, err)
	}
	links := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range linkTarget.FindAllStringSubmatch(codeBlock.ReplaceAllString(string(text), ""), -1) {
			path, section, _ := strings.Cut(match[1]+match[2], "#")
			if strings.Contains(path, "://") {
				continue
			}
			links++
			to := filepath.Join(filepath.Dir(page), path)
			if path == "" {
				to = page
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s refers to %s, which is not there", page, path)
			} else if section != "" && !hasSection(t, to, section) {
				t.Errorf("%s refers to %s, which has no section %s", page, to, section)
			}
		}
	}
	if links < 50 {
		t.Errorf("only %d links", links)
	}
}

// hasSection reports whether a page has a heading with that anchor.
func hasSection(t *testing.T, page, anchor string) bool {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, title := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(string(text), ""), -1) {
		if strings.ReplaceAll(noAnchor.ReplaceAllString(strings.ToLower(title[1]), ""), " ", "-") == anchor {
			return true
		}
	}
	return false
}

// variable is what differs from run to run: ids and times of runs, durations, paths
// and sizes, and the blanks that align them.
var variable = regexp.MustCompile(`20\d{6}T[0-9.Z]+-[0-9a-f]{4}|20\d\d-\d\d-\d\d \d\d:\d\d:\d\d|\b[0-9.]+m?s\b|/\S+/|[0-9,]+ bytes|has [0-9,]+ now| {2,}`)

func shell(t *testing.T, dir, command string) string {
	t.Helper()
	words := strings.Fields(command)
	cmd := exec.Command("gleapsync")
	cmd.Env, cmd.Dir = append(os.Environ(), "TZ=UTC"), dir
	for strings.Contains(words[0], "=") {
		cmd.Env = append(cmd.Env, words[0])
		words = words[1:]
	}
	if words[0] != "gleapsync" {
		t.Fatalf("%s: not a command of gleapsync", command)
	}
	cmd.Args = words
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Errorf("%s: %v: %s", command, err, errs.Bytes())
	}
	return strings.ReplaceAll(out.String(), dir+string(filepath.Separator), "")
}

// TestReliabilityPage: the tests that docs/reliability.md names exist.
func TestReliabilityPage(t *testing.T) {
	page, err := os.ReadFile("docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	if err := filepath.WalkDir(".", func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		source.Write(text)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([^` ]+)`")
	tests := 0
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "Shown by ") {
			continue
		}
		for _, name := range named.FindAllStringSubmatch(line, -1) {
			tests++
			_, err := os.Stat("testdata/script/" + name[1] + ".txt")
			if err != nil && !strings.Contains(source.String(), "func "+name[1]+"(") {
				t.Errorf("there is no test %s", name[1])
			}
		}
	}
	if tests < 50 {
		t.Errorf("only %d tests are named", tests)
	}
}

// TestOperatingPage: the commands of docs/operating.md and docs/events.md exist, with their flags. They run
// one after the other on the sample exports; a command that is for another situation may
// say so, but not that it was called wrongly.
func TestOperatingPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	events, err := os.ReadFile("docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	page = append(page, events...)
	dir := t.TempDir()
	if err := errors.Join(copyExamples(dir), os.Rename(filepath.Join(dir, "config.example.toml"), filepath.Join(dir, "gleapsync.toml"))); err != nil {
		t.Fatal(err)
	}
	project := "project = \"acme\"\n[gleap]\nbase_url = \"sandbox\"\n[[audience]]\nname = \"First\"\nsource = \"../examples/day1/first_time_shopper.csv\"\n"
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "projects"), 0o700), os.WriteFile(filepath.Join(dir, "projects", "acme.toml"), []byte(project), 0o600)); err != nil {
		t.Fatal(err)
	}
	commands := 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		for line := range strings.Lines(block[1]) {
			words := strings.Fields(strings.ReplaceAll(line, "'", "")) // there is no shell that takes a pattern
			if words[1] == "serve" {                                   // it does not end
				words = append(words, "--help")
			}
			cmd := exec.Command(words[0], words[1:]...)
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if code := cmd.ProcessState.ExitCode(); code == 2 || code != 0 && words[1] != "retire" {
				t.Errorf("%sexit code %d: %s", line, code, out)
			}
			commands++
		}
	}
	if commands < 15 {
		t.Errorf("only %d commands", commands)
	}
}

// TestSourcesPages: each configuration in the pages about sources and events can be loaded.
func TestSourcesPages(t *testing.T) {
	pages, err := filepath.Glob("docs/sources*.md")
	pages = append(pages, "docs/events.md")
	if err != nil || len(pages) < 4 {
		t.Fatalf("%q, %v", pages, err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range regexp.MustCompile("(?ms)^```toml\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
			settings := block[1]
			if !strings.Contains(settings, "[[") { // a source alone
				settings = "[[audience]]\nname = \"VIP\"\n" + settings
			}
			path := filepath.Join(t.TempDir(), "gleapsync.toml")
			if err := os.WriteFile(path, []byte("project = \"acme\"\n"+settings), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := config.Load(path); err != nil {
				t.Errorf("%s: %v\n%s", page, err, settings)
			}
		}
	}
}
