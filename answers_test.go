//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gleapsync/internal/inspect"
)

// answers are the console blocks of docs/operating.md, by their command.
type answers struct {
	t     *testing.T
	text  []byte
	shown map[string]string // what the commands print, of those that were run
}

const operating = "docs/operating.md"

// TestAnswers brings about the situations that docs/operating.md answers questions about, runs the
// commands there and compares what they print with what is said there; -update writes it anew.
func TestAnswers(t *testing.T) {
	t.Parallel() // it waits
	text, err := os.ReadFile(operating)
	if err != nil {
		t.Fatal(err)
	}
	a := &answers{t, text, map[string]string{}}
	a.ofKilled()
	a.ofHeld()
	for _, block := range consoleBlock.FindAllSubmatch(text, -1) {
		if command := commandOf(block[1]); a.shown[command] == "" {
			t.Errorf("%s shows what %q prints, and no test runs it", operating, command)
		}
	}
	if *update {
		updated := consoleBlock.ReplaceAllFunc(text, func(block []byte) []byte {
			command := commandOf(consoleBlock.FindSubmatch(block)[1])
			return []byte("```console\n$ " + command + "\n" + a.shown[command] + "```")
		})
		if err := os.WriteFile(operating, updated, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func commandOf(block []byte) string {
	line, _, _ := bytes.Cut(block, []byte("\n"))
	return strings.TrimPrefix(string(line), "$ ")
}

// counts are numbers that depend on how far a run came, and who ran it.
var counts = regexp.MustCompile(`[0-9a-f]{64}|process \d+ on [^ :]+|, about \S+ left|[0-9][0-9,]*`)

// shows runs a command of the page, and compares what it prints with that.
func (a *answers) shows(p *project, config, command string, exact bool) {
	a.t.Helper()
	words := strings.Fields(command)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir, cmd.Env = p.dir, append(p.env, "TZ=UTC", "GLEAPSYNC_CONFIG="+config)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	const held = 4
	if code := cmd.ProcessState.ExitCode(); err != nil && code != held {
		a.t.Errorf("%s: %v: %s", command, err, errs.Bytes())
	}
	a.compare(command, strings.ReplaceAll(string(out), p.dir, "/var/lib/gleapsync"), exact)
}

func (a *answers) compare(command, printed string, exact bool) {
	a.t.Helper()
	a.shown[command] = printed
	mask := func(text string) string {
		text = variable.ReplaceAllString(text, "~")
		if !exact {
			text = counts.ReplaceAllString(text, "#")
		}
		return text
	}
	for _, block := range consoleBlock.FindAllSubmatch(a.text, -1) {
		said := string(block[1])
		if commandOf(block[1]) != command || *update {
			continue
		}
		if got := "$ " + command + "\n" + printed; mask(got) != mask(said) {
			a.t.Errorf("%s says\n%s\nthe program\n%s\n(go test -run TestAnswers -update . writes it anew)", operating, said, got)
		}
		return
	}
	if !*update {
		a.t.Errorf("%s does not show %q any more", operating, command)
	}
}

// ofKilled asks while a sync runs, and after it was killed.
func (a *answers) ofKilled() {
	t := a.t
	const contacts, answered = 3_000, 100
	var calls atomic.Int64
	goOn := make(chan struct{})
	s := newGleap(0, 0)
	t.Cleanup(s.Close)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) > answered {
			<-goOn
		}
		s.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(goOn) })
	p := newProject(t, slow.URL, "", userIDs(contacts)...)
	config, err := os.ReadFile(p.path("c.toml"))
	if err != nil {
		t.Fatal(err)
	}
	config = bytes.Replace(config, []byte(`project = "p"`), []byte(`project = "acme"`), 1)
	p.write(t, "c.toml", string(config))
	p.write(t, "paced.toml", strings.Replace(string(config), "rate = 0\n", "", 1))
	cmd := p.command("sync")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	for {
		out, err := p.command("inspect", "--output", "json").Output()
		var s inspect.Summary
		if err == nil && json.Unmarshal(out, &s) == nil && s.Contacts > 0 && s.Running != nil && s.Running.Running.Done > 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	a.shows(p, "c.toml", "gleapsync inspect", false)
	a.shows(p, "paced.toml", "gleapsync plan", false)
	served := p.serve(t)
	var status []byte
	for !bytes.Contains(status, []byte(`"next"`)) { // it is not at once that it waits
		answer, err := http.Get(served.url + "/api/status")
		if err != nil {
			t.Fatal(err)
		}
		if status, err = io.ReadAll(answer.Body); err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
	a.holds("curl -s 127.0.0.1:8080/api/status", string(status))
	_ = served.cmd.Process.Kill()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	a.shows(p, "c.toml", "gleapsync inspect runs", false)
}

// holds compares what is printed with a block that leaves things out.
func (a *answers) holds(command, printed string) {
	a.t.Helper()
	for _, block := range consoleBlock.FindAllSubmatch(a.text, -1) {
		if said := string(block[1]); commandOf(block[1]) == command {
			_, said, _ = strings.Cut(said, "\n")
			a.shown[command] = said
			form := regexp.QuoteMeta(strings.TrimSpace(said))
			form = regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ|\d+(\\\.\d+)?`).ReplaceAllString(form, `[0-9.:TZ-]+`)
			form = regexp.MustCompile(`"vm"`).ReplaceAllString(form, `"[^"]*"`)
			form = regexp.MustCompile(` *… *`).ReplaceAllString(form, `.*`)
			if !regexp.MustCompile(`(?s)^` + form).MatchString(printed) {
				a.t.Errorf("%s says\n%s\nthe program\n%s\n", operating, said, printed)
			}
			return
		}
	}
	a.t.Errorf("%s does not show %q any more", operating, command)
}

// ofHeld asks about an audience that is held, and a contact who is in it.
func (a *answers) ofHeld() {
	t := a.t
	gleap := newGleap(0, 0)
	t.Cleanup(gleap.Close)
	ids := func(from, to int) string {
		var text strings.Builder
		text.WriteString("user_id\n")
		for n := from; n <= to; n++ {
			fmt.Fprintf(&text, "u%05d\n", n)
		}
		return text.String()
	}
	p := newProject(t, gleap.URL, "")
	p.write(t, "c.toml", fmt.Sprintf(`project = "acme"
[gleap]
base_url = %q
api_token_env = "TOKEN"
rate = 0
[log]
path = "deliveries"
[[audience]]
name = "vip_eu"
source = "exports/vip_eu.csv"
[[audience]]
name = "beta"
source = "exports/beta.csv"
`, gleap.URL))
	if err := os.Mkdir(filepath.Join(p.dir, "exports"), 0o700); err != nil {
		t.Fatal(err)
	}
	sync := func(code int) {
		t.Helper()
		if got, written := p.run(t, "sync"); got != code {
			t.Fatalf("exit code %d: %s", got, written)
		}
	}
	p.write(t, "exports/vip_eu.csv", ids(1, 100))
	p.write(t, "exports/beta.csv", ids(1, 90))
	sync(0)
	p.write(t, "exports/vip_eu.csv", ids(1, 40))
	p.write(t, "exports/beta.csv", ids(1, 95))
	a.shows(p, "c.toml", "gleapsync inspect contact u00092", true)
	a.shows(p, "c.toml", "gleapsync plan --changes --contact u00092", true)
	sync(4)
	a.shows(p, "c.toml", "gleapsync inspect runs last --held", true)
	a.shows(p, "c.toml", "gleapsync inspect deliveries --contact u00092", true)
	if code, written := p.run(t, "forget", "u00005"); code != 0 {
		t.Fatal(written)
	}
	a.shows(p, "c.toml", "gleapsync inspect forgotten u00005", false)
}
