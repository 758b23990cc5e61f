package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// project is a folder with a configuration, an audience, and a state once there is one.
type project struct {
	dir string
	env []string
}

// newProject writes a project that sends to url. more goes into the configuration, before
// the audience.
func newProject(t *testing.T, url, more string, members ...string) *project {
	t.Helper()
	p := &project{t.TempDir(), append(os.Environ(), "TOKEN=secret-token")}
	if strings.HasPrefix(url, "http://") { // no limit is for this machine only
		more = "rate = 0\n" + more
	}
	p.write(t, "c.toml", fmt.Sprintf("project = \"p\"\n[gleap]\nbase_url = %q\napi_token_env = \"TOKEN\"\n%s\n[[audience]]\nname = \"vip\"\nsource = \"vip.csv\"\n", url, more))
	p.write(t, "vip.csv", "user_id\n"+strings.Join(members, "\n")+"\n")
	return p
}

func (p *project) path(name string) string { return filepath.Join(p.dir, name) }

func (p *project) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(p.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// command is gleapsync with the project's configuration.
func (p *project) command(args ...string) *exec.Cmd {
	cmd := exec.Command("gleapsync", append(args, "--config", p.path("c.toml"))...)
	cmd.Env = p.env
	return cmd
}

// run runs gleapsync and returns its exit code and all that it wrote.
func (p *project) run(t *testing.T, args ...string) (code int, written string) {
	t.Helper()
	return finish(t, p.command(args...))
}

// mustSay runs a command, and checks its exit code and that it writes something. It returns all that
// it wrote.
func (p *project) mustSay(t *testing.T, code int, want string, args ...string) string {
	t.Helper()
	got, written := p.run(t, args...)
	if got != code || !strings.Contains(written, want) {
		t.Fatalf("%s: exit code %d: %s\nwant %d: %s", args, got, written, code, want)
	}
	return written
}

func finish(t *testing.T, cmd *exec.Cmd) (code int, written string) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func userIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("user-%06d", i)
	}
	return ids
}
